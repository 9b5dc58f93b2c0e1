"""From elements to lines, as people would read them: paragraphs, lists, tables, preformatted text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ticketmail.adapters.mime.html.styles import Declarations
from ticketmail.domain.inbound.lines import INVISIBLE, MAX_LINES, Line, Mark

#: They begin and end a line.
_BLOCKS_WORDS: Final = """
    address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hgroup hr li listing main menu nav ol p plaintext pre section summary
    table tbody tfoot thead tr ul xmp
"""
BLOCKS: Final = frozenset(_BLOCKS_WORDS.split())
#: A blank line stands around them.
SPACED: Final = frozenset(["blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"])
PREFORMATTED: Final = frozenset(("pre", "listing", "plaintext", "xmp", "textarea"))
CELLS: Final = frozenset(("td", "th"))
_RULE: Final = "-" * 32
#: An image's text is read where it is a sign: emoji that mail programs draw.
MAX_SIGN: Final = 4


class Layout:
    """Builds lines. White space is one space, but in preformatted text."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._pieces: list[str] = []
        self._now = Line("")  # mark, depth and origin of the line that is written
        self._space = self._blank = self._spaced = False
        self._preformatted = 0
        self._between = ""  # stands before the next text: the sign of a list, the border of a cell
        self._lists: list[int | None] = []
        self._hidden: list[tuple[str, str]] = []
        self._rest = ""

    def finished(self) -> list[Line]:
        """All lines."""
        self._flush()
        return self._lines

    def text(self, text: str, mark: Mark, depth: int, origin: str) -> None:
        """Text of one kind."""
        text = text.translate(INVISIBLE)
        if self._preformatted:
            self._verbatim(text, mark, depth, origin)
            return
        words = " ".join(text.split())
        if not words:
            self._space = self._space or bool(text)
            return
        self._turn(mark, depth, origin)
        if self._pieces and (self._space or text[0].isspace()) and not self._between:
            self._pieces.append(" ")
        self._pieces += (self._between, words) if self._between else (words,)
        self._between = ""
        self._space = text[-1].isspace()

    def hidden(self, text: str, origin: str) -> None:
        """Text that nobody sees: a line of its own, behind the one that it stands in."""
        words = " ".join(text.translate(INVISIBLE).split())
        if words and self._hidden and self._hidden[-1][1] == origin:
            self._hidden[-1] = (f"{self._hidden[-1][0]} {words}"[:100_000], origin)
        elif words:
            self._hidden.append((words, origin))

    def rest(self, origin: str) -> None:
        """From the next line on, all is the mail that is answered."""
        self._flush()
        self._rest = self._rest or origin

    def enter(self, tag: str, attributes: Mapping[str, str | None], style: Declarations) -> None:
        """An element begins."""
        if tag in BLOCKS:
            self._flush()
            self._spaced = _has_margin(tag, attributes, style)
            self._blank = self._blank or self._spaced
            self._enter_block(tag)
        elif tag == "br":
            self._break()
        elif tag in CELLS:
            self._between = (" " if self._pieces and self._pieces[-1].endswith((":", "：")) else " | ") if self._pieces else ""
        elif tag == "img" and len(sign := (attributes.get("alt") or "").strip()) <= MAX_SIGN and sign and not sign.isascii():
            self.text(sign, self._now.mark, self._now.depth, self._now.origin)
        if tag in PREFORMATTED or style.get("white-space", "").startswith("pre"):
            self._preformatted += tag in PREFORMATTED

    def leave(self, tag: str) -> None:
        """An element ends."""
        if tag in PREFORMATTED:
            self._flush()
            self._preformatted -= 1
        if tag in BLOCKS:
            self._flush()
            self._blank = self._blank or (tag in SPACED and (tag != "p" or self._spaced))
            if tag in ("ul", "ol", "menu") and self._lists:
                self._lists.pop()

    def _enter_block(self, tag: str) -> None:
        if tag in ("ul", "ol", "menu"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._between = self._sign()
        elif tag == "hr":
            self._append(_RULE, self._now._replace(mark=Mark.PLAIN))
        elif tag == "tr":
            self._between = ""

    def _sign(self) -> str:
        """What stands before an item: its number, or a dash; deeper lists are set in."""
        number = self._lists[-1] if self._lists else None
        indent = "  " * min(max(len(self._lists) - 1, 0), 8)
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number + 1}. "

    def _verbatim(self, text: str, mark: Mark, depth: int, origin: str) -> None:
        first, *others = text.replace("\r\n", "\n").split("\n", MAX_LINES)
        self._turn(mark, depth, origin)
        self._pieces += (self._between, first) if first else ()
        self._between = ""
        for one in others:
            self._break()
            self._turn(mark, depth, origin)
            self._pieces += (one,) if one else ()

    def _turn(self, mark: Mark, depth: int, origin: str) -> None:
        """A line is of one kind: text of another one begins another line."""
        if self._pieces and (mark is not self._now.mark or depth != self._now.depth):
            self._flush()
        self._now = Line("", mark, depth, origin)

    def _break(self) -> None:
        if self._pieces:
            self._flush()
        else:
            self._lines.append(Line("", Mark.PLAIN, self._now.depth))
            self._blank = False

    def _flush(self) -> None:
        """End the line that is written, if there is one."""
        if self._pieces:
            self._append("".join(self._pieces).rstrip(), self._now)
            self._pieces = []
        self._space = False
        for text, origin in self._hidden:
            self._lines.append(Line(text, Mark.HIDDEN, 0, origin))
        self._hidden = []

    def _append(self, text: str, kind: Line) -> None:
        if self._blank and self._lines and self._lines[-1].text:
            self._lines.append(Line("", Mark.PLAIN, min(kind.depth, self._lines[-1].depth)))
        self._blank = False
        if self._rest:
            kind = Line("", Mark.REST, kind.depth, self._rest)
            self._rest = ""
        self._lines.append(kind._replace(text=text))


def _has_margin(tag: str, attributes: Mapping[str, str | None], style: Declarations) -> bool:
    """Paragraphs of Outlook have none."""
    if tag != "p":
        return tag in SPACED
    return not ((attributes.get("class") or "").startswith(("Mso", "x_Mso")) or style.get("margin", "").startswith("0"))
