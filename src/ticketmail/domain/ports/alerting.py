"""Telling administrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Alert:
    """One cause, once. ``fingerprint`` is stable for a cause; ``accounts`` are the sick ones it must not travel through.
    ``count`` is how often it happened since the last telling. ``resolved``: it is over. Times are UTC microseconds."""

    fingerprint: str
    level: Literal["page", "warn", "info"]
    title: str
    text: str
    site: str
    at_us: int
    since_us: int
    count: int = 1
    accounts: tuple[str, ...] = ()
    resolved: bool = False


class AlertSink(Protocol):
    """A way to administrators."""

    @property
    def via_accounts(self) -> tuple[str, ...]:
        """Accounts that this sink sends mail through; () for log and webhook."""
        ...

    async def send(self, alert: Alert) -> None:
        """Deliver, or raise OSError (tried again later, and through the other sinks)."""
        ...
