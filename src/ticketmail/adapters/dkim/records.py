"""Public keys from DNS, bounded: so many lookups for one mail, and so long for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import dns.exception
import dns.resolver

#: Seconds for one answer, and for all of one mail; and how many are asked for.
ANSWER_S: Final = 3.0
ALL_S: Final = 8.0
MOST_LOOKUPS: Final = 12

#: The TXT record of a name, its strings joined; None: there is none. ``timeout``: seconds. Raises NoAnswer.
Lookup = Callable[[str, float], bytes | None]


class NoAnswer(Exception):
    """DNS does not answer now; the key may be there."""


def txt_of(name: str, timeout: float) -> bytes | None:
    """By the system's resolver. Raises NoAnswer."""
    try:
        answer = dns.resolver.resolve(name, "TXT", raise_on_no_answer=False, lifetime=timeout, search=False)
    except dns.resolver.NXDOMAIN:
        return None
    except dns.exception.DNSException as error:
        raise NoAnswer(f"{type(error).__name__} for {name}") from error
    return b"".join(answer.rrset[0].strings) if answer.rrset else None


class Records:
    """The keys of one mail's signatures, as dkimpy asks for them. What came is kept: who signs twice is asked once."""

    def __init__(self, lookup: Lookup, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._lookup = lookup
        self._monotonic_s = monotonic_s
        self._until_s = monotonic_s() + ALL_S
        self._known: dict[str, bytes | None] = {}
        self.trouble: str = ""  #: of the last one that was asked for
        self.last: bytes | None = None

    def __call__(self, name: bytes, timeout: float = ANSWER_S) -> bytes | None:
        """dkimpy takes what is raised here for a wrong signature: what is wrong is noted in ``trouble`` instead."""
        self.trouble, self.last = "", None
        try:
            text = name.decode("ascii").lower()
            if text not in self._known:
                self._known[text] = self._asked(text)
        except (NoAnswer, UnicodeError) as error:
            self.trouble = str(error)[:200]
            return None
        self.last = self._known[text]
        return self.last

    def _asked(self, name: str) -> bytes | None:
        left_s = self._until_s - self._monotonic_s()
        if len(self._known) >= MOST_LOOKUPS or left_s <= 0:
            raise NoAnswer("too many keys, or too slow, for one mail")
        return self._lookup(name, min(ANSWER_S, left_s))
