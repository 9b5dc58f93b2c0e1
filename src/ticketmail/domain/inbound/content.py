"""What a mail says, as people and programs may read it: the answer, what was folded, and what the mail tried to hide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.inbound.lines import Folded, Kind, Segment

_HOST: Final = re.compile(
    r"^(?:[a-z][a-z0-9+.-]{1,10}://)?(?:[^/@\s]{1,200}@)?((?:[\w-]{1,63}\.){1,8}[a-z]{2,24})(?=[:/?#]|$)", re.IGNORECASE
)
_WORD: Final = re.compile(r"\w+")
#: Words that are compared of each body.
COMPARED_WORDS: Final = 5_000
#: Share of the words of the shorter body that the other one must have, so that both say the same.
SAME_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link goes, and what people read of it."""

    target: str
    text: str = ""

    @property
    def is_deceptive(self) -> bool:
        """The text names one host, the link goes to another that is not of its family."""
        named, goes = _HOST.match(self.text.strip()), _HOST.match(self.target)
        if named is None or goes is None or "://" not in self.target:
            return False
        said, real = named[1].lower().removeprefix("www."), goes[1].lower().removeprefix("www.")
        return not (said == real or real.endswith(f".{said}") or said.endswith(f".{real}"))


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something that was not let through: ``what`` is ``remote-image``, ``remote-style``, ``link``, ``cid``, ``data``."""

    what: str
    value: str


@dataclass(frozen=True, slots=True)
class MailBody:
    """The body of one mail, taken apart.

    ``top`` is what to read first (see :class:`Folded`); ``segments`` cover the whole body. ``source`` is ``html``, ``text`` or
    ``none``. ``html`` is safe to show, None if the mail has none: no script, no style sheet, no form, nothing remote
    (``data-remote-src`` keeps the address of an image, for a host that asks its user first); images of the mail are ``cid:``.
    ``hidden`` is text that people do not see. ``images`` are the Content-IDs that the HTML shows. ``flags`` name what is odd:
    ``hidden-text``, ``bodies-differ``, ``deceptive-link``, ``remote-content``, ``html-cut``.
    """

    top: str
    segments: tuple[Segment, ...] = ()
    note: str = ""
    source: str = "none"
    html: str | None = None
    links: tuple[Link, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    images: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def hidden(self) -> str:
        """All text that people do not see."""
        return "\n".join(one.text for one in self.segments if one.kind is Kind.HIDDEN)

    @property
    def text(self) -> str:
        """All that people can see, quotes and signatures too, in order."""
        return "\n".join(one.text for one in self.segments if one.kind is not Kind.HIDDEN)

    def folded(self) -> dict[Kind, str]:
        """What was folded away, by kind."""
        kinds = (Kind.QUOTE, Kind.ATTRIBUTION, Kind.SIGNATURE, Kind.DISCLAIMER, Kind.HIDDEN)
        return {kind: text for kind in kinds if (text := Folded(self.segments, "").text(kind))}


def bodies_differ(text: str, other: str) -> bool:
    """Whether two bodies of one mail say different things: the HTML and the plain text of a multipart/alternative.

    Programs make the one from the other: most words are shared. A text that only points to the HTML says nothing else, and
    neither does an empty one.
    """
    one, two = _words(text), _words(other)
    if min(len(one), len(two)) < 5:
        return False
    return len(one & two) < SAME_SHARE * min(len(one), len(two))


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold())[:COMPARED_WORDS] if len(word) > 1}
