"""Lines of a body, and what becomes of them: segments, folded and never deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

#: Rules look at this much of a line. Longer lines are text, never marks of a mail program.
LOOKED_AT: Final = 400
#: Lines that are told apart. What is beyond them is one more line, of any length.
MAX_LINES: Final = 10_000
#: Signs without width that hide words from rules and readers (the joiners of emoji and of Persian stay).
INVISIBLE: Final = {
    code: None for code in (0x00AD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
}


class Mark(StrEnum):
    """What the structure of a body says of a line, before any rule has read its words."""

    PLAIN = ""  #: nothing
    QUOTE = "quote"  #: in a container that mail programs make for the mail that is answered
    INDENT = "indent"  #: in a block quotation that people make too
    REST = "rest"  #: from here to the end: the mail that is answered
    ATTRIBUTION = "attribution"  #: who wrote the quote, and when
    FORWARD = "forward"  #: in a container for a mail that is passed on
    SIGNATURE = "signature"  #: in a container for signatures
    HIDDEN = "hidden"  #: not seen by people: display:none, white on white, no size


class Line(NamedTuple):
    """One line. ``depth`` is how often it is quoted by structure, ``origin`` the container that says so."""

    text: str
    mark: Mark = Mark.PLAIN
    depth: int = 0
    origin: str = ""


class Kind(StrEnum):
    """What a segment is. All but ``visible`` and ``forwarded`` are folded away in the ticket."""

    VISIBLE = "visible"  #: what the author wrote in this mail, and quotes that he answers point by point
    QUOTE = "quote"  #: an earlier mail
    ATTRIBUTION = "attribution"  #: the lines above a quote: who, when
    SIGNATURE = "signature"  #: below ``-- ``, or what a phone adds
    DISCLAIMER = "disclaimer"  #: legal text, footers of mailing lists
    FORWARDED = "forwarded"  #: a mail that was passed on
    HIDDEN = "hidden"  #: what people do not see


@dataclass(frozen=True, slots=True)
class Segment:
    """Some lines in a row. ``rule`` names what decided."""

    kind: Kind
    text: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Folded:
    """A body in segments that cover all of it, in order. ``top`` is what to read first.

    ``note`` says why ``top`` is more than usual: ``only-quote`` (nothing else was there, so it is shown), ``only-signature``,
    ``interleaved`` (answers between the quotes: kept with them), ``answers-below`` (it says that they stand in the quote), or
    ``empty`` (the body has no text at all).
    """

    segments: tuple[Segment, ...]
    top: str
    note: str = ""

    def text(self, *kinds: Kind) -> str:
        """The text of all segments of these kinds, in order."""
        return "\n".join(one.text for one in self.segments if one.kind in kinds)


def lines_of(text: str) -> list[Line]:
    """A plain text as lines. CRLF (also with one CR too many) and bare CR end a line too; a no-break space is a space, signs
    without width are nothing."""
    cleaned = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").translate(INVISIBLE)
    return [Line(one) for one in cleaned.split("\n", MAX_LINES)]


def joined(texts: Iterable[str]) -> str:
    """Lines as a readable text: no blank lines at the ends, at most one in a row, no spaces at the ends of lines."""
    kept: list[str] = []
    for text in texts:
        line = text.rstrip()
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).rstrip("\n")
