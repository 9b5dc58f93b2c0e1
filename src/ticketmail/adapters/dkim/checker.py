"""DKIM and ARC signatures, checked in a process of its own, which a hostile mail or a silent DNS may end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import dkim  # noqa: F401 (the child needs it: whoever lacks it hears of it here)
from pydantic import ValidationError

from ticketmail.adapters.dkim.caged import SIGNATURES
from ticketmail.adapters.mime.answering import frame
from ticketmail.adapters.mime.child import Child, ChildDied
from ticketmail.domain.received import Signature

_HEAD_BYTES: Final = 256 * 1024
_LONGEST_ANSWER: Final = 1 << 20
_CPU_S: Final = 5
_MEMORY_BYTES: Final = 512 * 1024 * 1024
#: The most that one mail waits (seconds by the clock), start of the process included.
MAIL_S: Final = 12.0
#: Checks may take so many seconds at once, and this part of all time: a DNS that hangs must not keep a batch from being settled.
BURST_S: Final = 30.0
SHARE: Final = 0.25


class Checker:
    """``SignatureCheck`` with one child. Calls wait for one another; nothing is opened before the first signed mail."""

    def __init__(
        self, nameservers: Sequence[str] = (), *, mail_s: float = MAIL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        arguments = [str(_CPU_S), str(_MEMORY_BYTES), *nameservers]
        self._child = Child("ticketmail.adapters.dkim.caged", arguments, name="check", longest=_LONGEST_ANSWER)
        self._mail_s = mail_s
        self._clock = clock
        self._left_s, self._at_s = BURST_S, clock()

    def __call__(self, raw: bytes, author: bytes) -> tuple[Signature, ...]:
        """As the port says. What could not be checked in time is a ``temperror``, and proves nothing."""
        head = raw[:_HEAD_BYTES].lower()
        if b"dkim-signature" not in head and b"arc-seal" not in head:
            return ()
        with self._child.alone():
            began_s = self._clock()
            self._left_s = min(BURST_S, self._left_s + SHARE * (began_s - self._at_s))
            self._at_s = began_s
            if self._left_s <= 0:
                return _untested("Checks took too long lately; there is a pause.")
            try:
                return self._asked(raw, author)
            finally:
                self._at_s = self._clock()
                self._left_s -= self._at_s - began_s

    def close(self) -> None:
        """End the child. Idempotent; the next mail begins another."""
        with self._child.alone():
            self._child.end()

    def _asked(self, raw: bytes, author: bytes) -> tuple[Signature, ...]:
        try:
            return SIGNATURES.validate_json(self._child.ask(frame(author, raw), self._mail_s))
        except ChildDied as error:
            return _untested(str(error))
        except ValidationError:
            self._child.end()
            return _untested("The check answered nonsense.")


def _untested(reason: str) -> tuple[Signature, ...]:
    return (Signature(method="dkim", result="temperror", reason=reason),)
