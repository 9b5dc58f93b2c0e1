"""Bounds on HTML before it is parsed: parsers take quadratic time on deep nesting and on tags with many attributes.

A count of open elements is enough for that, it need not be right. What is beyond a bound loses its tag, never its text.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, NamedTuple

#: Characters that are parsed; the rest is cut.
MAX_CHARS: Final = 2 * 1024 * 1024
#: Elements within one another. Mails of long threads reach about 100.
MAX_OPEN: Final = 250
#: Unclosed ones among those that are opened anew in each paragraph (``b``, ``font``): they multiply.
MAX_FORMATTING: Final = 30
#: Tags altogether, closing ones too. A very long thread has 20,000.
MAX_TAGS: Final = 30_000
#: Below this many characters attributes cannot hurt.
SMALL: Final = 32 * 1024
#: Characters of a tag outside of quoted values: names of attributes, mostly.
MAX_BARE: Final = 1_500

_ANY_TAG: Final = re.compile(r"<[^<>]{0,2000}>?")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,20})")
_FORMATTING: Final = frozenset(["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"])
#: No content, or closed by the next of their kind: they do not add up.
_UNCOUNTED_WORDS: Final = """
    area base br col embed hr img input link meta param source track wbr p li td th tr tbody thead tfoot dt dd
    option colgroup
"""
_UNCOUNTED: Final = frozenset(_UNCOUNTED_WORDS.split())
_IN_TAG: Final = re.compile(r"[\"'>]")


class Tamed(NamedTuple):
    """HTML that is safe to parse; ``cut`` says what had to be taken from it."""

    html: str
    cut: tuple[str, ...] = ()


def tame(html: str) -> Tamed:
    """HTML within the bounds. Ordinary mails come back as they are."""
    cut: list[str] = []
    if len(html) > MAX_CHARS:
        html = html[:MAX_CHARS]
        cut.append("size")
    if "\x00" in html:
        html = html.replace("\x00", "")
    if len(html) > SMALL:
        html, dropped = _without_crowds(html)
        cut += ["attributes"] * dropped
    if html.count("<") > MAX_TAGS:
        html = _without_late_tags(html)
        cut.append("tags")
    if html.count("<") > MAX_FORMATTING:
        counter = _Counter()
        bounded = _TAG.sub(counter.kept, html)
        if counter.dropped:
            html = bounded
            cut.append("nesting")
    return Tamed(html, tuple(cut))


class _Counter:
    """Counts open elements along the text, and takes the tag from those beyond a bound."""

    def __init__(self) -> None:
        self.dropped = 0
        self._open = self._formatting = self._hidden = 0

    def kept(self, match: re.Match[str]) -> str:
        name = match[2].lower()
        if name in _UNCOUNTED:
            return match[0]
        return self._closing(match, name) if match[1] else self._opening(match, name)

    def _opening(self, match: re.Match[str], name: str) -> str:
        formatting = name in _FORMATTING
        if self._open >= MAX_OPEN or (formatting and self._formatting >= MAX_FORMATTING):
            self._hidden += 1
            return self._drop()
        self._open += 1
        self._formatting += formatting
        return match[0]

    def _closing(self, match: re.Match[str], name: str) -> str:
        if self._hidden:
            self._hidden -= 1
            return self._drop()
        self._open = max(self._open - 1, 0)
        self._formatting = max(self._formatting - (name in _FORMATTING), 0)
        return match[0]

    def _drop(self) -> str:
        """Not a tag any more: a processing instruction, which parsers skip to its ``>`` as a comment."""
        self.dropped += 1
        return "<?"


def _without_late_tags(html: str) -> str:
    """HTML that has no tags beyond the bound: only text."""
    late = next(islice(re.finditer("<", html), MAX_TAGS, None)).start()
    return html[:late] + _ANY_TAG.sub(" ", html[late:])


def _without_crowds(html: str) -> tuple[str, bool]:
    """HTML without the tags that have a crowd of attributes, and whether there were any."""
    pieces: list[str] = []
    done = at = 0
    while (at := html.find("<", at)) >= 0:
        end, bare = _tag_end(html, at + 1)
        if bare > MAX_BARE:
            pieces.append(html[done:at])
            done = end
        at = max(end, at + 1)
    return ("".join(pieces) + html[done:], True) if pieces else (html, False)


def _tag_end(html: str, at: int) -> tuple[int, int]:
    """Behind the ``>`` that ends the tag begun before ``at``, and how many of its characters stand outside of quotes."""
    if not html[at : at + 1].isalpha():
        return at, 0
    bare = -at
    while (found := _IN_TAG.search(html, at)) is not None:
        at = found.end()
        if found[0] == ">":
            return at, bare + at
        if html[at - 2] in "= \t\r\n":
            closing = html.find(found[0], at)
            closing = closing if closing >= 0 else len(html)
            bare -= closing - at
            at = closing + 1
    return len(html), bare + len(html)
