"""Dates and message ids of headers (RFC 5322 sections 3.3 and 3.6.4), with the forms that are sent instead."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import Final

_IDS: Final = re.compile(r"<([^<>]{1,998})>")
_COMMENT: Final = re.compile(r"\([^()]{0,100}\)")
_ZONE_NAME: Final = re.compile(r"([+-]\d{2}):(\d{2})\s*$")
#: ``GMT+01:00`` is an offset, not GMT.
_GMT_OFFSET: Final = re.compile(r"\b(?:GMT|UTC|UT)\s?([+-]\d{2}:?\d{2})\s*$", re.IGNORECASE)
_HALF_DAY: Final = re.compile(r"\b(\d{1,2})(:\d{2}(?::\d{2})?)\s?([AaPp])\.?[Mm]\b\.?")
#: Zones by names that no other zone has, and that the RFC does not know: seconds east of Greenwich.
_ZONES: Final = {
    "WET": 0, "WEST": 3600, "CET": 3600, "MET": 3600, "MEZ": 3600, "CEST": 7200, "MEST": 7200, "MESZ": 7200, "EET": 7200,
    "EEST": 10800, "MSK": 10800, "MSD": 14400, "JST": 32400, "KST": 32400, "HKT": 28800, "AEST": 36000, "AEDT": 39600,
    "NZST": 43200, "NZDT": 46800,
}  # fmt: skip
_ZONED: Final = re.compile(rf"\b({'|'.join(_ZONES)})\s*$", re.IGNORECASE)
_SPLIT_TIME: Final = re.compile(r"(\d{1,2})[.](\d{2})[.](\d{2})(?=\s|$)")


def parse_date(text: str) -> datetime | None:
    """An aware moment, None if there is none to be read. A zone that is missing or unknown is UTC (RFC 5322 section 4.3)."""
    short = _ZONE_NAME.sub(r"\1\2", _COMMENT.sub(" ", text[:200]).strip())
    short = _SPLIT_TIME.sub(r"\1:\2:\3", _GMT_OFFSET.sub(r"\1", short))
    short = _ZONED.sub(_offset, _HALF_DAY.sub(_full_day, short))
    found = _by_rfc(short)
    return found if found is not None else _by_iso(short)


def _full_day(half: re.Match[str]) -> str:
    """``2:05:33 PM`` as 14:05:33."""
    hour = int(half[1])
    return f"{hour % 12 + 12 * (half[3] in 'pP') if hour <= 12 else hour:02}{half[2]}"


def _offset(zone: re.Match[str]) -> str:
    return f"+{_ZONES[zone[1].upper()] // 36:04}"


def _by_rfc(text: str) -> datetime | None:
    try:
        parts = parsedate_tz(text)
        if parts is None:
            return None
        offset = timedelta(seconds=parts[9] or 0)
        zone = UTC if abs(offset) >= timedelta(hours=24) else timezone(offset)
        return datetime(*parts[:5], min(parts[5], 59), tzinfo=zone)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _by_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_ids(text: str) -> tuple[str, ...]:
    """Message ids without angle brackets; those within them if there are any, else what looks like ids."""
    found = ["".join(one.split()) for one in _IDS.findall(text)]
    if not found:
        found = [one.strip('<>,;"') for one in text.split() if "@" in one]
    return tuple(one for one in found if one)


def parse_id(text: str) -> str | None:
    """The first id; without brackets, the whole of a value that has no blanks in it."""
    ids = parse_ids(text)
    if ids:
        return ids[0]
    bare = text.strip().strip("<>")
    return bare if bare and not any(char.isspace() for char in bare) else None
