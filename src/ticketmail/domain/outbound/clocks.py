"""A clock that was set back: what was noted before it lies in a future that may be far. Pure."""

from __future__ import annotations

from typing import Final

#: Workers differ by less, and so do a spool's answers (microseconds).
LEAP_US: Final = 30_000_000


def is_ahead(noted_us: int, now_us: int) -> bool:
    """Whether a moment was noted by a clock that has been set back since: its waits mean nothing now."""
    return noted_us > now_us + LEAP_US
