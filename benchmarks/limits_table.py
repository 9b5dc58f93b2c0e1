"""Results, as lines and as a table in markdown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from limits_scenarios import Result

_HEAD = ("scenario", "workers", "used %", "refused per 100", "found again after halving, doubling (s)", "delivered", "dead")
_HEAD += ("attempts wasted", "copies", "missed")


def line(result: Result) -> str:
    """One run on a line."""
    return "  ".join(f"{cell:>8}" if place else f"{cell:<36}" for place, cell in enumerate(_cells(result)))


def table(results: Sequence[Result]) -> str:
    """All runs."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *(_cells(result) for result in results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(result: Result) -> tuple[str, ...]:
    usage = result.usage
    again = f"{_seconds(result.halved_found_s)}, {_seconds(result.doubled_found_s)}" if result.changes else "-"
    return (
        result.scenario,
        str(result.workers),
        f"{100 * usage.used:.1f}",
        f"{usage.refused_per_100:.2f}",
        again,
        f"{result.sent}/{result.handed_over}",
        str(result.dead),
        str(result.wasted),
        str(result.copies),
        ", ".join(result.missed) or "-",
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f}"


def put(page: Path, name: str, text: str) -> None:
    """Between the page's marks of that name, with the command that measured it."""
    command = shlex.join([f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    text = f"`python {command}`:\n\n{text}"
    before, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    page.write_text(f"{before}{begin}{text}\n{end}{after}")
