"""Quoted text, signatures and legal text of a body: folded, never deleted.

The structure of HTML speaks first (its marks come with the lines), then words do. A rule that is not sure keeps the text. Where
nothing would be left to read, the least is unfolded that makes the mail readable, and the result says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ticketmail.domain.inbound.labelling import VISIBLE, Label, Labeller
from ticketmail.domain.inbound.lines import Folded, Kind, Line, Segment, joined, lines_of
from ticketmail.domain.inbound.signature import is_banner, is_disclaimer, is_tagline
from ticketmail.domain.inbound.unfolding import keep_answers_below, keep_interleaved, keep_pointing, unfold_if_empty

#: Lines of a gateway's banner.
MAX_BANNER: Final = 4
#: Lines at the end of what was written that may be what a phone or a company adds.
TAIL_LINES: Final = 6


def fold_text(text: str, *, forwarded: bool = False) -> Folded:
    """A plain text, folded. ``forwarded``: the subject says that the mail was passed on."""
    return fold(lines_of(text), forwarded=forwarded)


def fold(lines: Sequence[Line], *, forwarded: bool = False) -> Folded:
    """Lines with the marks of their structure, folded. ``forwarded`` as for :func:`fold_text`."""
    banner = _banner(lines)
    labeller = Labeller(lines[banner:], forwarded)
    labels = [Label(Kind.DISCLAIMER, "banner")] * banner + labeller.labels()
    lines = [*lines[:banner], *labeller.lines]
    keep_pointing(lines, labels)
    _fold_tails(lines, labels)
    kept = "interleaved" * keep_interleaved(lines, labels) or "answers-below" * keep_answers_below(lines, labels)
    note = unfold_if_empty(lines, labels) or kept
    segments = _segments(lines, labels)
    read = [joined(one.text.split("\n")).strip("\n") for one in segments if one.kind in (Kind.VISIBLE, Kind.FORWARDED)]
    return Folded(segments, "\n\n".join(filter(None, read)), note)


def _fold_tails(lines: Sequence[Line], labels: list[Label]) -> None:
    """Fold what phones and companies add: the last lines of each stretch that was written."""
    end = len(labels)
    first = next((at for at, label in enumerate(labels) if label.kind is Kind.VISIBLE and lines[at].text.strip()), end)
    if any(label.kind is Kind.QUOTE for label in labels[:first]):
        first = -1
    while end:
        start = end
        while start and labels[start - 1].kind is labels[end - 1].kind:
            start -= 1
        if labels[end - 1].kind is Kind.VISIBLE:
            _fold_tail(lines, labels, [at for at in range(start, end) if lines[at].text.strip()], end, first)
        end = start


def _fold_tail(lines: Sequence[Line], labels: list[Label], worded: Sequence[int], end: int, first: int) -> None:
    """Not the ``first`` line that was written; but a stretch below a quote may be all of a company's text."""
    tail = worded[-TAIL_LINES:]
    for at in reversed(tail):
        if at > first and is_disclaimer(lines[at].text, " ".join(line.text for line in lines[at + 1 : at + 4])):
            labels[at:end] = [Label(Kind.DISCLAIMER, "disclaimer")] * (end - at)
            end = at
    for at in reversed([one for one in tail if one < end]):
        if not is_tagline(lines[at].text):
            break
        labels[at:end] = [Label(Kind.SIGNATURE, "tagline")] * (end - at)
        end = at


def _banner(lines: Sequence[Line]) -> int:
    """How many lines at the very top a gateway wrote above a mail from outside: one paragraph. None if nothing stands below."""
    first = next((at for at, line in enumerate(lines) if line.text.strip()), len(lines))
    if first == len(lines) or not is_banner(lines[first].text):
        return 0
    end = first + 1
    while end < len(lines) and lines[end].text.strip() and end - first <= MAX_BANNER:
        end += 1
    return end if any(line.text.strip() for line in lines[end:]) else 0


def _shown(line: Line, label: Label) -> str:
    """A line as it is read: quoted by structure, it gets the sign of quotes; set in by its author, it is set in."""
    if not line.depth:
        return line.text
    return ("  " if label == VISIBLE else "> ") * min(line.depth, 20) + line.text


def _segments(lines: Sequence[Line], labels: list[Label]) -> tuple[Segment, ...]:
    """Lines in a row of one kind, together: they cover the whole body."""
    segments: list[Segment] = []
    start = 0
    for at in range(1, len(labels) + 1):
        if at == len(labels) or labels[at].kind is not labels[start].kind:
            segments.append(
                Segment(labels[start].kind, "\n".join(map(_shown, lines[start:at], labels[start:at])), labels[start].rule)
            )
            start = at
    return tuple(segments)
