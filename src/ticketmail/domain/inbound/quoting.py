"""Quoted text, signatures and legal text of a body: folded, never deleted.

The structure of HTML speaks first (its marks come with the lines), then words do. A rule that is not sure keeps the text. Where
nothing would be left to read, the least is unfolded that makes the mail readable, and the result says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ticketmail.domain.inbound.attribution import Found, find, may_end
from ticketmail.domain.inbound.lines import LOOKED_AT, Folded, Kind, Line, Mark, Segment, joined, lines_of
from ticketmail.domain.inbound.separators import Break, field_of, header_at, is_rule, worded_break
from ticketmail.domain.inbound.signature import is_banner, is_delimiter, is_disclaimer, is_list_footer, is_tagline

#: Attributions that are looked for; a body with more is no mail, and its text stays.
MAX_ATTRIBUTIONS: Final = 400
#: Lines that could begin a quoted header, and are looked at.
MAX_HEADERS: Final = 400
#: Lines of a gateway's banner.
MAX_BANNER: Final = 4
#: Lines at the end of what was written that may be what a phone or a company adds.
TAIL_LINES: Final = 6

_QUOTED: Final = re.compile(r"\s{0,4}>")
_SUPERCITED: Final = re.compile(r"\s{0,2}\w{1,16}>\s")
_OPEN_LINK: Final = re.compile(r"<https?:[^\s>]*$")


class Label(NamedTuple):
    """What a line was found to be, and by which rule."""

    kind: Kind
    rule: str = ""


_VISIBLE: Final = Label(Kind.VISIBLE)
_QUOTES: Final = frozenset({Mark.QUOTE, Mark.REST})
_STRUCTURED: Final = frozenset({Mark.QUOTE, Mark.REST, Mark.ATTRIBUTION})


def fold_text(text: str, *, forwarded: bool = False) -> Folded:
    """A plain text, folded. ``forwarded``: the subject says that the mail was passed on."""
    return fold(lines_of(text), forwarded=forwarded)


def fold(lines: Sequence[Line], *, forwarded: bool = False) -> Folded:
    """Lines with the marks of their structure, folded. ``forwarded`` as for :func:`fold_text`."""
    labeller = _Labeller(lines, forwarded)
    labels, lines = labeller.labels(), labeller.lines
    _fold_tails(lines, labels)
    interleaved = _keep_interleaved(lines, labels)
    note = _unfold_if_empty(lines, labels)
    segments = _segments(lines, labels)
    read = [joined(one.text.split("\n")).strip("\n") for one in segments if one.kind in (Kind.VISIBLE, Kind.FORWARDED)]
    return Folded(segments, "\n\n".join(filter(None, read)), note or ("interleaved" if interleaved else ""))


class _Labeller:
    """One walk over the lines, from the top: each is labelled once."""

    def __init__(self, lines: Sequence[Line], forwarded: bool) -> None:
        self.lines = list(lines)  # one more where a line is two
        self._texts = [line.text for line in lines]
        self._forwarded = forwarded
        self._labels: list[Label] = []
        self._written = False  # something visible stands above
        self._signing = False  # below a delimiter of signatures
        self._ends: dict[int, Found | None] = {}
        self._headers = 0

    def labels(self) -> list[Label]:
        while len(self._labels) < len(self.lines):
            self._label(len(self._labels))
        return self._labels

    def _label(self, at: int) -> None:
        line = self.lines[at]
        if line.mark is Mark.HIDDEN:
            self._labels.append(Label(Kind.HIDDEN, line.origin))
        elif line.mark in _STRUCTURED and self._passed_on(at):
            self._rest(at, line.origin, Kind.FORWARDED)
        elif line.mark is Mark.REST:
            self._rest(at, line.origin)
        elif line.mark is Mark.QUOTE or self._is_quoted(at):
            self._quote(at, line.origin or ">")
        elif line.mark is Mark.ATTRIBUTION:
            self._labels.append(Label(Kind.ATTRIBUTION, line.origin))
            if self._quote_follows(at):
                self._indented(at + 1, line.depth)
        elif line.text.strip():
            self._worded(at, line)
        else:
            self._labels.append(self._labels[-1] if self._labels else _VISIBLE)

    def _passed_on(self, at: int) -> bool:
        """The first line of what a program quotes says *Forwarded message*."""
        if self._labels and self._labels[-1].kind is Kind.QUOTE:
            return False
        broken = worded_break(self._texts[at], at)
        return broken is not None and broken.forwarded

    def _worded(self, at: int, line: Line) -> None:
        """A line with words that no structure has spoken of."""
        found = self._attribution(at)
        if found is not None:
            self._attributed(found)
        elif (broken := self._broken(at)) is not None:
            self._break(at, broken.rule, broken.forwarded)
        elif line.mark is Mark.SIGNATURE:
            self._labels.append(Label(Kind.SIGNATURE, line.origin))
        elif self._signing or (self._written and is_delimiter(self._texts, at)):
            self._signing = True
            self._labels.append(Label(Kind.SIGNATURE, "delimiter"))
        elif self._written and not line.depth and is_list_footer(self._texts, at):
            self._labels.extend([Label(Kind.DISCLAIMER, "list-footer")] * (len(self.lines) - at))
        else:
            self._written = True
            self._labels.append(Label(Kind.FORWARDED, line.origin) if line.mark is Mark.FORWARD else _VISIBLE)

    def _broken(self, at: int) -> Break | None:
        """The break between two mails that this line makes."""
        text = self._texts[at]
        broken = worded_break(text, at)
        if broken is None and self._headers < MAX_HEADERS and field_of(text) is not None:
            self._headers += 1
            broken = header_at(self._texts, at)
        return broken

    def _is_quoted(self, at: int) -> bool:
        """``>`` at the start, unless it closes a link that was wrapped."""
        text = self._texts[at]
        return _QUOTED.match(text) is not None and not (at and _OPEN_LINK.search(self._texts[at - 1][-LOOKED_AT:]))

    def _quote(self, at: int, rule: str) -> None:
        self._signing = False
        self._labels.append(Label(Kind.QUOTE, rule))

    def _attribution(self, at: int) -> Found | None:
        """The attribution that ends at this line or within the next three."""
        for last in range(at, min(at + 4, len(self._texts))):
            text = self._texts[last]
            if not text.strip() or self.lines[last].mark in _QUOTES:
                return None
            if may_end(text) and (found := self._ending(last)) is not None:
                return found if found.first == at else None
        return None

    def _ending(self, last: int) -> Found | None:
        """The attribution that ends with a line: looked for once, and not in bodies that are made of them."""
        if last not in self._ends and len(self._ends) < MAX_ATTRIBUTIONS:
            self._ends[last] = find(self._texts, last, self._quote_follows(last))
        return self._ends.get(last)

    def _quote_follows(self, at: int) -> bool:
        """Whether the next line with words is quoted: by a sign, by structure, or indented as a block."""
        for line in self.lines[at + 1 : at + 4]:
            if line.mark in _QUOTES or line.mark is Mark.INDENT or _QUOTED.match(line.text):
                return True
            if line.text.strip():
                return _SUPERCITED.match(line.text) is not None
        return False

    def _attributed(self, found: Found) -> None:
        """Label an attribution, and what it speaks of: the quoted lines below, or all the rest."""
        if found.column:
            self._part(found)
            return
        self._labels.extend([Label(Kind.ATTRIBUTION, found.rule)] * (found.last + 1 - found.first))
        self._signing = False
        if self._quote_follows(found.last):
            self._indented(found.last + 1, self.lines[found.first].depth)
        elif self._written:
            self._rest(found.last + 1, found.rule)

    def _part(self, found: Found) -> None:
        """Words stand before the attribution, on its line: make two lines of it."""
        line = self.lines[found.first]
        self.lines[found.first : found.first + 1] = [
            line._replace(text=line.text[: found.column]),
            line._replace(text=line.text[found.column :]),
        ]
        self._texts[found.first : found.first + 1] = [line.text[: found.column], line.text[found.column :]]
        self._ends = {}
        self._written = True
        self._labels.append(_VISIBLE)

    def _indented(self, at: int, depth: int) -> None:
        """Block quotations and *Name>* lines below an attribution are quotes, though people make them too."""
        rule = ">"
        while at < len(self.lines):
            line = self.lines[at]
            if line.depth > depth or (depth and line.depth == depth):
                rule = line.origin or rule
            elif line.text.strip() and not _SUPERCITED.match(line.text):
                return
            self._labels.append(Label(Kind.HIDDEN, line.origin) if line.mark is Mark.HIDDEN else Label(Kind.QUOTE, rule))
            at += 1

    def _break(self, at: int, rule: str, forwarded: bool) -> None:
        """Another mail begins: all below is quoted, or passed on. A line drawn above it belongs to it."""
        above = at - 1
        while above >= 0 and not self._texts[above].strip():
            above -= 1
        passed_on = forwarded or (self._forwarded and rule != "reply-above")
        kind = Kind.FORWARDED if passed_on else Kind.QUOTE
        if above >= 0 and is_rule(self._texts[above]):
            self._labels[above:] = [Label(kind, rule)] * (at - above)
        self._rest(at, rule, kind)

    def _rest(self, at: int, rule: str, kind: Kind = Kind.QUOTE) -> None:
        for line in self.lines[at:]:
            self._labels.append(Label(Kind.HIDDEN, line.origin) if line.mark is Mark.HIDDEN else Label(kind, rule))


def _fold_tails(lines: Sequence[Line], labels: list[Label]) -> None:
    """Fold what phones and companies add: the last lines of each stretch that was written."""
    end = len(labels)
    while end:
        start = end
        while start and labels[start - 1].kind is labels[end - 1].kind:
            start -= 1
        if labels[end - 1].kind is Kind.VISIBLE:
            _fold_tail(lines, labels, start, end)
        end = start


def _fold_tail(lines: Sequence[Line], labels: list[Label], start: int, end: int) -> None:
    worded = [at for at in range(start, end) if lines[at].text.strip()]
    _fold_banner(lines, labels, worded)
    tail = worded[-TAIL_LINES:]
    for at in reversed(tail):
        if at > worded[0] and is_disclaimer(lines[at].text, " ".join(line.text for line in lines[at + 1 : at + 4])):
            labels[at:end] = [Label(Kind.DISCLAIMER, "disclaimer")] * (end - at)
            end = at
    for at in reversed([one for one in tail if one < end]):
        if not is_tagline(lines[at].text):
            break
        labels[at:end] = [Label(Kind.SIGNATURE, "tagline")] * (end - at)
        end = at


def _fold_banner(lines: Sequence[Line], labels: list[Label], worded: Sequence[int]) -> None:
    """Fold what a gateway writes above a mail from outside, at the very top and as one paragraph."""
    first = worded[0] if worded else 0
    if len(worded) < 2 or any(line.text.strip() for line in lines[:first]) or not is_banner(lines[first].text):
        return
    last = first
    while last + 1 < len(lines) and lines[last + 1].text.strip() and last - first < MAX_BANNER:
        last += 1
    if any(at > last for at in worded):
        labels[first : last + 1] = [Label(Kind.DISCLAIMER, "banner")] * (last + 1 - first)


def _keep_interleaved(lines: Sequence[Line], labels: list[Label]) -> bool:
    """Answers point by point are read with what they answer: quotes between two answers are kept.

    One answer below one quote is an ordinary reply, written at the bottom. A single line that sticks to quoted lines on both
    sides was broken off by wrapping.
    """
    for at in range(1, len(labels) - 1):
        around = (labels[at - 1].kind, labels[at].kind, labels[at + 1].kind)
        if around == (Kind.QUOTE, Kind.VISIBLE, Kind.QUOTE) and lines[at - 1].text.strip() and lines[at].text.strip():
            labels[at] = Label(Kind.QUOTE, "wrapped")
    answers = _answers(lines, labels)
    if len(answers) < 2:
        return False
    first = next(at for at, label in enumerate(labels) if label.kind in (Kind.QUOTE, Kind.ATTRIBUTION))
    for at in range(first, answers[-1]):
        if labels[at].kind in (Kind.QUOTE, Kind.ATTRIBUTION):
            labels[at] = Label(Kind.VISIBLE, "interleaved")
    return True


def _answers(lines: Sequence[Line], labels: list[Label]) -> list[int]:
    """The first line of each stretch with words that was written below a quote."""
    answers = []
    quoted = False
    for at, (line, label) in enumerate(zip(lines, labels, strict=True)):
        if label.kind is Kind.QUOTE:
            quoted = True
        elif label.kind is Kind.VISIBLE and quoted and line.text.strip():
            answers.append(at)
            quoted = False
    return answers


def _unfold_if_empty(lines: Sequence[Line], labels: list[Label]) -> str:
    """Never nothing to read: show the signature if that is all, else the quote; and say so."""
    worded = [label.kind for line, label in zip(lines, labels, strict=True) if any(map(str.isalnum, line.text))]
    if Kind.VISIBLE in worded or Kind.FORWARDED in worded:
        return ""
    for kinds, note in _UNFOLDING:
        if any(kind in kinds for kind in worded):
            labels[:] = [Label(Kind.VISIBLE, note) if label.kind in kinds else label for label in labels]
            return note
    return (
        ""
        if any(line.text.strip() and label.kind is Kind.VISIBLE for line, label in zip(lines, labels, strict=True))
        else "empty"
    )


_UNFOLDING: Final = (
    (frozenset({Kind.QUOTE, Kind.ATTRIBUTION}), "only-quote"),
    (frozenset({Kind.SIGNATURE, Kind.DISCLAIMER}), "only-signature"),
)


def _shown(line: Line, label: Label) -> str:
    """A line as it is read: quoted by structure, it gets the sign of quotes; set in by its author, it is set in."""
    if not line.depth:
        return line.text
    return ("  " if label == _VISIBLE else "> ") * min(line.depth, 20) + line.text


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
