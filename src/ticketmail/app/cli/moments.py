"""Times, durations and paces as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ticketmail.app.cli.errors import UsageError
from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.units import duration_s

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_S = 50 * 365 * 86_400.0  #: 50 years: no clock of ours and no column ends before
_PER_S = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}


def past_us(text: str, now_us: int, *, option: str) -> int:
    """``2h`` (that long ago) or an ISO 8601 time with its offset, as UTC microseconds. Raises UsageError."""
    return _moment_us(text, now_us, -1, option)


def future_us(text: str, now_us: int, *, option: str) -> int:
    """``2h`` (that long from now) or an ISO 8601 time with its offset, as UTC microseconds. Raises UsageError."""
    at_us = _moment_us(text, now_us, 1, option)
    if at_us <= now_us:
        raise UsageError(f"{option} {text!r} is in the past.", remedy="Name a time to come, such as 2h.")
    return at_us


def lifetime_us(text: str, *, option: str) -> int:
    """A duration such as ``2h`` in microseconds. Raises UsageError."""
    seconds = _duration_s(text)
    if seconds is None or seconds <= 0:
        raise UsageError(f"{option} {text!r} is not a duration.", remedy="Write 30m, 2h or 14d.")
    return _microseconds(seconds, text, option=option)


def pace_per_s(text: str, *, option: str) -> float:
    """``5/s`` or ``100/min`` as mails a second. Raises UsageError."""
    count, slash, unit = text.partition("/")
    try:
        pace = float(count) / _PER_S[unit.strip().lower()] if slash else 0.0
    except (ValueError, KeyError):
        pace = 0.0
    if not 1e-4 < pace < 1e6:  # a mail in three hours at least
        raise UsageError(f"{option} {text!r} is not a pace.", remedy="Write 5/s or 100/min.")
    return pace


def aware(at_us: int) -> datetime:
    """UTC microseconds as an aware datetime."""
    return _EPOCH + timedelta(microseconds=at_us)


def _moment_us(text: str, now_us: int, sign: int, option: str) -> int:
    seconds = _duration_s(text)
    if seconds is not None:
        return now_us + sign * _microseconds(seconds, text, option)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is neither a duration nor a time.", remedy="Write 2h, or 2026-11-24T10:00+01:00."
        ) from None
    if moment.tzinfo is None:
        raise UsageError(
            f"{option} {text!r} has no offset, so it might mean 24 different times.", remedy=f"Write {text.strip()}+01:00, or 2h."
        )
    if not 1970 <= moment.year < 2200:
        raise UsageError(f"{option} {text!r} is too far away.", remedy="Write 14d, or 2026-11-24T10:00+01:00.")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _microseconds(seconds: float, text: str, option: str) -> int:
    if seconds > _LONGEST_S:
        raise UsageError(f"{option} {text!r} is longer than fifty years.", remedy="Write 30m, 2h or 14d.")
    return int(seconds * 1_000_000)


def _duration_s(text: str) -> float | None:
    if text.strip()[-1:].isdigit():
        return None  # 2026: seconds, or the beginning of a date? A unit says it
    try:
        return float(duration_s(text.strip()))
    except (TicketmailError, ValueError):
        return None
