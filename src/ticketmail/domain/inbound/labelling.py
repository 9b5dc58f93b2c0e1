"""The first look at a body: each line is labelled once, from the top, by the structure of HTML, then by words.

A rule that is not sure says nothing: the line stays visible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ticketmail.domain.inbound.attribution import MAX_LINES, Found, closes, find, may_end
from ticketmail.domain.inbound.lines import LOOKED_AT, Kind, Line, Mark
from ticketmail.domain.inbound.separators import Break, bare_header, field_of, header_at, is_between_arrows, is_rule, worded_break
from ticketmail.domain.inbound.signature import is_delimiter, is_list_footer

#: Attributions that are looked for; a body with more is no mail, and its text stays.
MAX_ATTRIBUTIONS: Final = 400
#: Lines that could begin a quoted header, and are looked at.
MAX_HEADERS: Final = 400

_QUOTED: Final = re.compile(r"\s{0,4}[>＞]")
#: What some programs and people set in front of quoted lines; it is a quote only below an attribution.
_SUPERCITED: Final = re.compile(r"\s{0,2}(?:\w{1,16}>\s|[|»]\s)")
_OPEN_LINK: Final = re.compile(r"<https?:[^\s>]*$")


class Label(NamedTuple):
    """What a line was found to be, and by which rule."""

    kind: Kind
    rule: str = ""


VISIBLE: Final = Label(Kind.VISIBLE)
_QUOTES: Final = frozenset({Mark.QUOTE, Mark.REST})
_STRUCTURED: Final = frozenset({Mark.QUOTE, Mark.REST, Mark.ATTRIBUTION})


class Labeller:
    """One walk over the lines, from the top: each is labelled once."""

    def __init__(self, lines: Sequence[Line], forwarded: bool) -> None:
        self.lines = list(lines)  # one more where a line is two
        self._texts = [line.text for line in lines]
        self._forwarded = forwarded
        self._labels: list[Label] = []
        self._written = False  # something visible stands above
        self._blocks = False  # block quotations are quotes: one stood below an attribution
        self._signing = False  # below a delimiter of signatures
        self._ends: dict[int, Found | None] = {}
        self._headers = 0
        self._bare = bare_header(self._texts)

    def labels(self) -> list[Label]:
        """The labels of :attr:`lines`."""
        while len(self._labels) < len(self.lines):
            self._label(len(self._labels))
        return self._labels

    def _label(self, at: int) -> None:
        line = self.lines[at]
        if line.mark is Mark.HIDDEN:
            self._labels.append(Label(Kind.HIDDEN, line.origin))
        elif (line.mark in _STRUCTURED or self._opens_quotes(at)) and self._passed_on(at):
            self._rest(at, line.origin or "forwarded-message", Kind.FORWARDED)
        elif line.mark is Mark.REST:
            self._drawn(at, Label(Kind.QUOTE, line.origin))
            self._rest(at, line.origin)
        elif self._written and is_between_arrows(line.text) and not self._quote_follows(at):
            self._rest(at, "arrows")
        elif line.mark is Mark.QUOTE:
            self._drawn(at, Label(Kind.QUOTE, line.origin))
            self._quote(at, line.origin)
        elif (self._blocks and line.mark is Mark.INDENT) or self._is_quoted(at):
            self._blocks |= line.mark is Mark.INDENT  # with signs in it (Orange), it is nothing that the author set in
            self._quote(at, line.origin or ">")
        elif line.mark is Mark.ATTRIBUTION:
            self._labels.append(Label(Kind.ATTRIBUTION, line.origin))
            if self._quote_follows(at):
                self._indented(at + 1, line.depth)
        elif line.text.strip():
            self._worded(at, line)
        else:
            self._labels.append(self._labels[-1] if self._labels else VISIBLE)

    def _opens_quotes(self, at: int) -> bool:
        """The first line with ``>``, and no word above it on whose it is: Apple Mail sets all that it passes on in so."""
        unsaid = not self._labels or self._labels[-1].kind is Kind.VISIBLE
        return unsaid and self._is_quoted(at)

    def _passed_on(self, at: int) -> bool:
        """The first line of what a program quotes says *Forwarded message*."""
        if self._labels and self._labels[-1].kind is Kind.QUOTE:
            return False
        broken = worded_break(self._texts[at])
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
            self._labels.append(Label(Kind.FORWARDED, line.origin) if line.mark is Mark.FORWARD else VISIBLE)

    def _broken(self, at: int) -> Break | None:
        """The break between two mails that this line makes."""
        text = self._texts[at]
        broken = worded_break(text) or (Break("quoted-header") if at == self._bare else None)
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
        """The attribution that ends at this line or within the next four."""
        for last in range(at, min(at + MAX_LINES, len(self._texts))):
            text = self._texts[last]
            if (not text.strip() and self._texts[last + 1 : last + 2] != ["<"]) or self.lines[last].mark in _QUOTES:
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
            if line.mark in _QUOTES or line.mark is Mark.INDENT or (_QUOTED.match(line.text) and not closes(line.text)):
                return True
            if line.text.strip():
                return _SUPERCITED.match(line.text) is not None
        return False

    def _attributed(self, found: Found) -> None:
        """Label an attribution, and what it speaks of: the quoted lines below, or all the rest."""
        if found.column:
            self._part(found)
            return
        self._drawn(found.first, Label(Kind.ATTRIBUTION, found.rule))
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
        if self._bare is not None:
            self._bare += self._bare > found.first
        self._written = True
        self._labels.append(VISIBLE)

    def _indented(self, at: int, depth: int) -> None:
        """Block quotations and *Name>* lines below an attribution are quotes, though people make them too."""
        rule = ">"
        while at < len(self.lines):
            line = self.lines[at]
            if line.depth > depth or (depth and line.depth == depth):
                rule = line.origin or rule
                self._blocks = True
            elif line.text.strip() and not _SUPERCITED.match(line.text):
                return
            self._labels.append(Label(Kind.HIDDEN, line.origin) if line.mark is Mark.HIDDEN else Label(Kind.QUOTE, rule))
            at += 1

    def _break(self, at: int, rule: str, forwarded: bool) -> None:
        """Another mail begins: all below is quoted, or passed on."""
        passed_on = forwarded or (self._forwarded and rule != "reply-above")
        kind = Kind.FORWARDED if passed_on else Kind.QUOTE
        self._drawn(at, Label(kind, rule))
        self._rest(at, rule, kind)

    def _drawn(self, at: int, label: Label) -> None:
        """A line drawn above another mail belongs to it, and so do fields of its header between the two (Yandex)."""
        above = at - 1
        while above >= 0 and (not self._texts[above].strip() or field_of(self._texts[above])) and not is_rule(self._texts[above]):
            above -= 1
        if above >= 0 and self._labels[above].kind is Kind.VISIBLE and is_rule(self._texts[above]):
            self._labels[above:] = [label] * (at - above)

    def _rest(self, at: int, rule: str, kind: Kind = Kind.QUOTE) -> None:
        for line in self.lines[at:]:
            self._labels.append(Label(Kind.HIDDEN, line.origin) if line.mark is Mark.HIDDEN else Label(kind, rule))
