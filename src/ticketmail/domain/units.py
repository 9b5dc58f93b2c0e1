"""Durations and sizes as people write them in settings: ``30s``, ``14d``, ``25MiB``."""

from __future__ import annotations

import math
import re
from typing import Final

from ticketmail.domain.errors import SettingsError

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_BYTES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_PART: Final = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*(ms|min|s|m|h|d|w)", re.ASCII)
_SIZE: Final = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{0,3})\s*", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds of ``"30s"``, ``"5m"``, ``"1h 30m"``, ``"14d"``, ``"2w"``, ``"250ms"``, or of a number (seconds already).

    Raises:
        SettingsError: neither, negative, or not finite.
    """
    number = _number(value)
    seconds = number if number is not None else _parts_s(value)
    if seconds is None or seconds < 0 or not math.isfinite(seconds):
        raise SettingsError(f"{_shown(value)} is not a duration.", remedy="Write 30s, 5m, 2h, 14d, or a number of seconds.")
    return seconds


def parse_size(value: object) -> int:
    """Bytes of ``"25MiB"`` (2**20), ``"25MB"`` (10**6), ``"64 KiB"``, or of a number (bytes already).

    Raises:
        SettingsError: neither, negative, or not finite. ``25M`` is refused: it means two things.
    """
    number = _number(value)
    if number is None and isinstance(value, str) and (match := _SIZE.fullmatch(value.lower())) and match[2] in _BYTES:
        number = float(match[1]) * _BYTES[match[2]]
    if number is None or number < 0 or not math.isfinite(number):
        raise SettingsError(f"{_shown(value)} is not a size.", remedy="Write 25MiB, 64KiB, 10MB, or a number of bytes.")
    return int(number)


#: The same, by the name of what they give.
duration_s = parse_duration
size_bytes = parse_size


def format_duration(seconds: float) -> str:
    """A duration for people: ``45 s``, ``2 min``, ``1.5 h``, ``3 d``."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds, 1):g} s"


def _number(value: object) -> float | None:
    """``value`` as a number, if it is one, or text of nothing but digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,15}(\.\d{1,6})?\s*", value, re.ASCII):
        return float(value)
    return None


def _parts_s(value: object) -> float | None:
    if not isinstance(value, str) or not value.strip():
        return None
    total, at, text = 0.0, 0, value.lower().rstrip()
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return None
        total += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    return total


def _shown(value: object) -> str:
    return repr(value)[:60]
