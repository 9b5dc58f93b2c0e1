"""Suppression: an address we do not write to, with reason, evidence and expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: An address is left alone this long after a refusal or a bounce that suppresses (microseconds: 90 days).
SUPPRESSED_US: Final = 90 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Suppression:
    """``address`` is an ``Address.key``. ``tenant`` '' holds for all tenants. ``until_us`` None: until a human lifts it."""

    address: str
    cause: str
    evidence: str
    since_us: int
    until_us: int | None = None
    tenant: str = ""
