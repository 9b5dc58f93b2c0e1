"""What is shown: rich where it is installed and somebody is looking, plain text elsewhere, JSON on request.

Every text is made safe here, in one place: known secrets are masked, control characters escaped, markup never interpreted.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from ticketmail.app.cli.plain import plain
from ticketmail.app.usecases.report.models import Level

#: Rich's styles. Plain output has the words only.
STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "bold red"}


def escape(text: str) -> str:
    """Control characters as ``\\n`` or ``\\x1b``: a server's line must not command the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@dataclass(slots=True)
class Table:
    """Rows under heads. A cell is text, or ``(text, style)``. ``empty`` is said where there are no rows."""

    heads: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)
    title: str = ""
    empty: str = ""
    right: Sequence[int] = ()  #: columns of numbers
    wide: bool = False  #: rows are copied and pasted: where they do not fit, the terminal wraps them, and no cell is folded


@dataclass(frozen=True, slots=True)
class Line:
    """One line and its style."""

    text: str
    style: str = ""


class Output:
    """One command's output. ``mask`` removes secrets from a text."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        mask: Callable[[str], str] = lambda text: text,
        stream: TextIO | None = None,
        errors: TextIO | None = None,
        width: int | None = None,
        colour: bool | None = None,
    ) -> None:
        self.as_json = as_json
        self.mask = mask
        self._stream = stream or sys.stdout
        self._errors = errors or sys.stderr
        self._width = width
        self._colour = colour
        self._rich: Any = None

    # --- for programs -------------------------------------------------------------------------------------------------------

    def json(self, value: Any) -> None:
        """``value`` as one JSON document."""
        self._write(json.dumps(self._masked(plain(value)), ensure_ascii=False, indent=2))

    def json_line(self, value: Any) -> None:
        """``value`` as one line of JSON."""
        self._write(json.dumps(self._masked(plain(value)), ensure_ascii=False))

    def raw(self, text: str) -> None:
        """Text that is a document itself (SQL): secrets masked, line breaks kept."""
        self._write(self.mask(text).rstrip("\n"))

    # --- for people ---------------------------------------------------------------------------------------------------------

    def line(self, text: str, style: str = "") -> None:
        """One line."""
        safe = escape(self.mask(text))
        if (console := self._console()) is None:
            self._write(safe)
        else:
            from rich.text import Text

            console.print(Text(safe, style=style), soft_wrap=True)

    def error(self, text: str) -> None:
        """One line to standard error."""
        self._errors.write(escape(self.mask(text)) + "\n")

    def table(self, table: Table) -> None:
        """A table, its title above it."""
        if table.title:
            self.line(table.title, "bold")
        if not table.rows:
            self.line(f"  {table.empty}" if table.title else table.empty)
        elif (console := self._console()) is None or (table.wide and self._width_of(table) > console.width):
            self._plain_table(table)
        else:
            console.print(self._rich_table(table))

    def live(self, frames: Iterable[Sequence[Line | Table]]) -> None:
        """Each frame in place of the one before, on a terminal; elsewhere the first frame alone."""
        if (console := self._console()) is None:
            self._frame(next(iter(frames), ()))
            return
        from rich.live import Live

        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as screen:
            for frame in frames:
                with console.capture() as shown:
                    self._frame(frame)
                screen.update(_ansi(shown.get()), refresh=True)

    def _frame(self, frame: Sequence[Line | Table]) -> None:
        for place, one in enumerate(frame):
            if isinstance(one, Line):
                self.line(one.text, one.style)
                continue
            if place:
                self.line("")
            self.table(one)

    def verdict(self, level: Level, text: str) -> None:
        """A line with a level in front."""
        self.line(f"{level.value.upper():<4} {text}", STYLES[level])

    # --- how ----------------------------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return {key: self._masked(one) for key, one in value.items()}
        return [self._masked(one) for one in value] if isinstance(value, list) else value

    def _console(self) -> Any:
        """rich's console, or None: not installed, or nobody is looking at a terminal."""
        looking = self._colour if self._colour is not None else self._stream.isatty()
        if self._rich is None and looking and importlib.util.find_spec("rich") is not None:
            from rich.console import Console

            self._rich = Console(file=self._stream, width=self._width, highlight=False, markup=False, emoji=False)
        return self._rich

    def _rich_table(self, table: Table) -> Any:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        made = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for at, head in enumerate(table.heads):
            side: Any = "right" if at in table.right else "left"
            made.add_column(head, justify=side, overflow="fold")
        for row in table.rows:
            made.add_row(*(Text(self._cell(cell), style=_style(cell)) for cell in row))
        return made

    def _cells(self, table: Table) -> tuple[list[list[str]], list[int]]:
        """Rows as text, heads first, and the width of each column."""
        rows = [list(table.heads), *([self._cell(cell) for cell in row] for row in table.rows)]
        return rows, [max(len(row[at]) for row in rows) for at in range(len(table.heads))]

    def _width_of(self, table: Table) -> int:
        return sum(width + 3 for width in self._cells(table)[1])

    def _plain_table(self, table: Table) -> None:
        rows, widths = self._cells(table)
        for row in rows:
            cells = [
                text.rjust(width) if at in table.right else text.ljust(width)
                for at, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            self._write("  ".join(cells).rstrip())

    def _cell(self, cell: Any) -> str:
        text = cell[0] if isinstance(cell, tuple) else cell
        return escape(self.mask("" if text is None else str(text)))


def _ansi(text: str) -> Any:
    from rich.text import Text

    return Text.from_ansi(text.rstrip("\n"))


def _style(cell: Any) -> str:
    return cell[1] if isinstance(cell, tuple) else ""
