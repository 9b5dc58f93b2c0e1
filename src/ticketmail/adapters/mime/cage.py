"""Reads mail in a process of its own, which a hostile mail may end but not more: bounded in time and memory, without secrets.

A mail that ends its reader is read again with less (degraded), then by its header alone (minimal). So every mail is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from ticketmail.adapters.mime.answering import frame
from ticketmail.adapters.mime.caged import READING, Bounds
from ticketmail.adapters.mime.child import Child, ChildDied
from ticketmail.adapters.mime.understanding import understand
from ticketmail.domain.inbound.mail import Tier
from ticketmail.domain.inbound.reading import Reading

_HEAD_BYTES: Final = 256 * 1024
#: What a mail's reading may take on its way back, as JSON: base64 of its files, and its texts.
_LONGEST_ANSWER: Final = 400 * 1024 * 1024


class Cage:
    """``Reader`` with one child. Thread-safe: calls wait for one another. Opens nothing before the first mail."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._child = Child("ticketmail.adapters.mime.caged", self._bounds.argv(), name="reader", longest=_LONGEST_ANSWER)

    def read(self, raw: bytes) -> Reading:
        """All that the bytes say. Never raises for what a mail is; ``Reading.error`` says what was not read, and why."""
        with self._child.alone():
            trouble = ""
            for tier in (Tier.FULL, Tier.DEGRADED, Tier.MINIMAL):
                try:
                    found = self._ask(raw if tier is not Tier.MINIMAL else raw[:_HEAD_BYTES], tier)
                except ChildDied as error:
                    trouble = trouble or str(error)
                    continue
                return _troubled(found, tier, trouble, len(raw))
            # Header fields alone, of a few kilobytes, here: nothing can end three readers and be harmless, so it gets no more.
            return _troubled(understand(raw[:4096], Tier.MINIMAL), Tier.MINIMAL, trouble, len(raw))

    def close(self) -> None:
        """End the child. Idempotent; the next mail begins another."""
        with self._child.alone():
            self._child.end()

    def _ask(self, raw: bytes, tier: Tier) -> Reading:
        answer = self._child.ask(frame(tier.value.encode(), raw), self._bounds.wall_s)
        try:
            return READING.validate_json(answer)
        except ValidationError as error:
            self._child.end()
            raise ChildDied("The reader answered nonsense.") from error


def _troubled(found: Reading, tier: Tier, trouble: str, size_bytes: int) -> Reading:
    if not trouble:
        return found
    mail = replace(found.mail, size_bytes=size_bytes, tier=tier)
    return replace(found, mail=mail, error=trouble if tier is Tier.MINIMAL else "", evidence=(*found.evidence, trouble))


__all__ = ["Bounds", "Cage"]
