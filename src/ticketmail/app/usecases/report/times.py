"""Times as people read them: local, with the offset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True)
class Times:
    """Words for moments, seen at ``now_us`` (UTC microseconds) in ``zone`` (None: the machine's own)."""

    now_us: int
    zone: tzinfo | None = None

    def local(self, at_us: int) -> datetime:
        """The moment as an aware local datetime."""
        return (_EPOCH + timedelta(microseconds=at_us)).astimezone(self.zone)

    def at(self, at_us: int) -> str:
        """``14:02:11 +01:00`` today, ``2026-11-23 14:02:11 +01:00`` on any other day."""
        moment = self.local(at_us)
        day = "" if moment.date() == self.local(self.now_us).date() else f"{moment:%Y-%m-%d} "
        return f"{day}{moment:%H:%M:%S} {_offset(moment)}"

    def full(self, at_us: int) -> str:
        """``2026-11-24 14:02:11 +01:00``, whatever the day."""
        moment = self.local(at_us)
        return f"{moment:%Y-%m-%d %H:%M:%S} {_offset(moment)}"

    def ago(self, at_us: int) -> str:
        """``12 min ago``; ``in 3 min`` for what is to come."""
        gap_s = (self.now_us - at_us) / 1_000_000
        return f"{span(gap_s)} ago" if gap_s >= 0 else f"in {span(-gap_s)}"


def iso(at_us: int) -> str:
    """RFC 3339 in UTC, for programs: ``2026-11-24T13:02:11.000000Z``."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A duration in its two largest units: ``2 h 5 min``, ``45 s``, ``1.4 s``, ``12 ms``."""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds % 1 >= 0.05 else f"{seconds:.0f} s"
    left = int(seconds)
    for at, (size, unit) in enumerate(_STEPS):
        if left >= size:
            whole, rest = divmod(left, size)
            below, name = _STEPS[at + 1] if at + 1 < len(_STEPS) else (1, "s")
            second = rest // below
            return f"{whole} {unit}" + (f" {second} {name}" if second else "")
    return f"{left} s"


def _offset(moment: datetime) -> str:
    """``+01:00``; strftime knows ``%:z`` only from Python 3.12 on."""
    text = f"{moment:%z}"
    return f"{text[:3]}:{text[3:5]}"
