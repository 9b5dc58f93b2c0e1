"""Windows: how much an account may send in a time, and what of it is left. Pure arithmetic in whole microseconds.

Three kinds: ``smooth`` up to a minute (GCRA, as in ATM Forum TM 4.0: mails evenly, each at its turn; recipients and bytes after a
small burst), ``rolling`` above (in 60 slots; the oldest one counts until all of it has left the window), ``calendar`` where
a zone is named. None ever lets more than the limit through in its period, by when permits are *used*: each lives a moment, which
the arithmetic allows for.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.clocks import is_ahead
from ticketmail.domain.units import parse_size

Unit = Literal["messages", "recipients", "bytes"]

#: A permit is used within this, or given back (seconds); a tenth of shorter windows.
PERMIT_LIFE_S: Final = 1.0
SMOOTH_S: Final = 60.0
#: Permits of a paced window are given so far ahead of their turn, so that workers need not ask for each (microseconds).
AHEAD_US: Final = 250_000
_SLOTS: Final = 60
_PERIODS_S: Final = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "month": 2_592_000.0,
}
_NAMED_S: Final = (("month", 2_592_000.0), ("day", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
_UNITS: Final[dict[str, Unit]] = {
    "message": "messages",
    "messages": "messages",
    "recipient": "recipients",
    "recipients": "recipients",
    "bytes": "bytes",
}
_TEXT: Final = re.compile(
    r"([\d._]+) ?([kmg]i?b)? ?/ ?(\d{0,4}) ?([a-z]+)(?: ?@ ?([a-z0-9_+/-]+))?((?: (?!per\b)[a-z]+){0,2})( per tenant)?",
    re.I | re.A,
)


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` of ``unit`` in ``period_s`` seconds; in the calendar of ``zone`` (an IANA name), if it names one.
    ``per_tenant``: each tenant has one of its own."""

    limit: int
    period_s: float
    unit: Unit = "messages"
    zone: str = ""
    per_tenant: bool = False

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``30/s``, ``10/min``, ``2000/day rolling recipients``, ``150MiB/5min``, ``2000/day@Europe/Berlin``.

        Without a zone every window rolls; the word ``rolling`` may say so. ``200/h per tenant`` counts each tenant's alone.

        Raises:
            SettingsError: anything else, a limit of 0, an unknown zone.
        """
        match = _TEXT.fullmatch(" ".join(text.split()))
        words = match[6].lower().split() if match else []
        period = match[4].lower() if match else ""
        units = {_UNITS[word] for word in words if word in _UNITS}
        if match is not None and match[2]:
            units.add("bytes")
        if match is None or period not in _PERIODS_S or not set(words) <= {"rolling", *_UNITS} or len(units) > 1:
            raise _refusal(text)
        unit = units.pop() if units else "messages"
        limit = parse_size(match[1] + match[2]) if match[2] else _whole(match[1], text)
        count, zone = int(match[3] or 1), match[5] or ""
        if limit < 1 or count < 1 or (zone and (count != 1 or "rolling" in words or _PERIODS_S[period] < SMOOTH_S)):
            raise _refusal(text)
        return cls(limit, count * _PERIODS_S[period], unit, _zone(zone, text) if zone else "", bool(match[7]))

    @property
    def kind(self) -> Literal["smooth", "rolling", "calendar"]:
        """How it is counted."""
        if self.zone:
            return "calendar"
        return "smooth" if self.period_s <= SMOOTH_S else "rolling"

    @property
    def key(self) -> str:
        """Its name in the account's state. Without the limit, so that a changed limit keeps what was counted."""
        return f"{self.unit}/{self.period_s:g}s" + (f"@{self.zone}" if self.zone else "")

    @property
    def life_us(self) -> int:
        """How long after its turn a permit may be used, microseconds."""
        return int(min(PERMIT_LIFE_S, self.period_s / (20 if self.paced else 10)) * 1e6)

    @property
    def paced(self) -> bool:
        """Each mail has its turn, evenly: a burst would spend a part of the rate, for the limit must hold in any window."""
        return self.kind == "smooth" and self.unit == "messages"

    @property
    def burst(self) -> int:
        """How much may go at once in a smooth window."""
        return 1 if self.paced else max(1, self.limit // 10)

    @property
    def interval_us(self) -> int:
        """Time that one unit takes in a smooth window.

        A bucket of ``burst`` refilled every T lets ``burst + floor(span / T)`` through in any span. Permits are used up to
        ``life`` after they were given, so the span is period + life, and T is just longer than span / (limit - burst + 1).
        """
        span = int(self.period_s * 1e6) + self.life_us
        return span // (self.limit - self.burst + 1) + 1

    def shared(self, share: float) -> Window:
        """The part of it that is ours (at least 1)."""
        return replace(self, limit=max(1, int(self.limit * share)))

    def __str__(self) -> str:
        name, length_s = next((one for one in _NAMED_S if self.period_s % one[1] == 0), _NAMED_S[-1])
        count = self.period_s / length_s
        period = name if count == 1 else f"{count:g}{name}"
        zone = f"@{self.zone}" if self.zone else ""
        unit = "" if self.unit == "messages" else f" {self.unit}"
        return f"{self.limit}/{period}{zone}{unit}{' per tenant' if self.per_tenant else ''}"


class WindowState(BaseModel):
    """What was let through. ``tat_us``: smooth windows' theoretical arrival time; ``base_us``, ``last_us``, ``last_worker`` and
    ``last_amount``: its last grant, which alone can be given back there. ``slots``: counts by slot number. ``used`` since
    ``start_us``: calendar windows."""

    model_config = ConfigDict(frozen=True, extra="allow")

    tat_us: int = 0
    interval_us: int = 0
    base_us: int = 0
    last_us: int = 0
    last_worker: str = ""
    last_amount: int = 0
    slots: dict[int, int] = {}
    slot_us: int = 0
    start_us: int = 0
    used: int = 0


#: A window in which nothing was counted yet.
FRESH: Final = WindowState()


def available(window: Window, state: WindowState, now_us: int, *, reserve: float = 0.0) -> int:
    """How much may go now. ``reserve``: the part of a window above a minute that is kept for others."""
    if window.kind == "smooth":
        behind = max(0, turn_us(state, now_us) - now_us)
        ahead_us = AHEAD_US if window.paced else 0
        return max(0, ((window.burst * window.interval_us + ahead_us) - behind) // window.interval_us)
    limit = max(1, int(window.limit * (1 - reserve)))
    if window.kind == "rolling":
        return max(0, limit - sum(_counting(window, state, now_us).values()))
    start_us, end_us = _calendar(window, now_us)
    if now_us + window.life_us >= end_us:
        return 0  # a permit given now might be used in the next period
    return max(0, limit - (state.used if state.start_us == start_us else 0))


def next_us(window: Window, state: WindowState, now_us: int, *, reserve: float = 0.0, amount: int = 1) -> int:
    """When ``amount`` may go (UTC microseconds), if nothing else does till then; ``now_us`` if it may now. At most the burst
    of a smooth window, the limit of another."""
    if available(window, state, now_us, reserve=reserve) >= amount:
        return now_us
    if window.kind == "smooth":
        return max(
            now_us, turn_us(state, now_us) - (window.burst - amount) * window.interval_us - (AHEAD_US if window.paced else 0)
        )
    if window.kind == "calendar":
        return _calendar(window, now_us)[1]
    counting = _counting(window, state, now_us)
    too_many = sum(counting.values()) - max(1, int(window.limit * (1 - reserve))) + amount
    for slot in sorted(counting):
        too_many -= counting[slot]
        if too_many <= 0:
            return _leaves_us(window, slot)
    return now_us + int(window.period_s * 1e6)  # pragma: no cover (the sum above is positive)


def spend(window: Window, state: WindowState, now_us: int, amount: int, worker: str) -> WindowState:
    """Count ``amount``, whether it fits or not: what is over is paid back by waiting longer."""
    if window.kind == "smooth":
        base_us, interval_us = max(turn_us(state, now_us), now_us), window.interval_us
        return state.model_copy(
            update={
                "tat_us": base_us + amount * interval_us,
                "interval_us": interval_us,
                "base_us": base_us,
                "last_us": now_us,
                "last_worker": worker,
                "last_amount": amount,
            }
        )
    if window.kind == "rolling":
        slots, slot = _counting(window, state, now_us), now_us // _slot_us(window)
        slots[slot] = slots.get(slot, 0) + amount
        return state.model_copy(update={"slots": slots, "slot_us": _slot_us(window)})
    start_us, _ = _calendar(window, now_us)
    used = state.used if state.start_us == start_us else 0
    return state.model_copy(update={"start_us": start_us, "used": used + amount})


def turn_us(state: WindowState, now_us: int) -> int:
    """A smooth window's theoretical arrival time; now, if it was counted by a clock that has been set back since."""
    return now_us if is_ahead(state.last_us, now_us) else state.tat_us


def refund(state: WindowState, issued_us: int, amount: int, worker: str) -> WindowState:
    """Take back ``amount`` of what ``worker`` was given at ``issued_us`` and did not use.

    In a smooth window only the very last grant can be undone exactly; any other refund could let a burst through, so it is
    left to time. Never gives back more than was counted.
    """
    if state.interval_us:
        if (state.last_us, state.last_worker) != (issued_us, worker):
            return state
        kept = max(0, state.last_amount - amount)
        return state.model_copy(update={"tat_us": state.base_us + kept * state.interval_us, "last_amount": kept})
    if state.slot_us:
        slots = dict(state.slots)
        for slot in sorted(number for number in slots if number >= issued_us // state.slot_us):  # it may have been counted later
            back = min(amount, slots[slot])
            slots[slot], amount = slots[slot] - back, amount - back
        return state.model_copy(update={"slots": {number: count for number, count in slots.items() if count}})
    if state.start_us <= issued_us:
        return state.model_copy(update={"used": max(0, state.used - amount)})
    return state


def pending(window: Window, state: WindowState, now_us: int) -> tuple[tuple[int, int], ...]:
    """What still counts, and when it stops to, soonest first: ``(UTC microseconds, amount)``. The last one: all is free again."""
    if window.kind == "smooth":
        tat_us = turn_us(state, now_us)
        behind_us = max(0, tat_us - now_us)
        return ((tat_us, -(-behind_us // window.interval_us)),) if behind_us else ()
    if window.kind == "rolling":
        return tuple((_leaves_us(window, slot), count) for slot, count in sorted(_counting(window, state, now_us).items()))
    start_us, end_us = _calendar(window, now_us)
    return ((end_us, state.used),) if state.used and state.start_us == start_us else ()


def counts_until_us(window: Window, at_us: int) -> int:
    """When what is let through at ``at_us`` stops to count in a rolling or calendar window."""
    return _calendar(window, at_us)[1] if window.kind == "calendar" else _leaves_us(window, at_us // _slot_us(window))


def _slot_us(window: Window) -> int:
    return max(1, int(window.period_s * 1e6) // _SLOTS)


def _leaves_us(window: Window, slot: int) -> int:
    """When a slot has left the window for good: its last permit may have been used ``life`` after its end."""
    return (slot + 1) * _slot_us(window) + window.life_us + int(window.period_s * 1e6)


def _counting(window: Window, state: WindowState, now_us: int) -> dict[int, int]:
    """The slots that still count. One further ahead than the window is long was counted by a clock that has been set back."""
    last = now_us // _slot_us(window) + _SLOTS
    return {slot: count for slot, count in state.slots.items() if slot <= last and _leaves_us(window, slot) > now_us}


def _calendar(window: Window, now_us: int) -> tuple[int, int]:
    """Start and end of the current period in the window's zone, UTC microseconds. Days may have 23 or 25 hours."""
    zone = ZoneInfo(window.zone)
    local = datetime.fromtimestamp(now_us // 1_000_000, zone)
    if window.period_s < 86_400:
        second = now_us // 1_000_000 + int((local.utcoffset() or timedelta()).total_seconds())
        start_us = (now_us // 1_000_000 - second % int(window.period_s)) * 1_000_000
        return start_us, start_us + int(window.period_s * 1e6)
    day = datetime(local.year, local.month, local.day, tzinfo=zone)
    if window.period_s == 86_400:
        following = day + timedelta(days=1)
    else:
        day = day.replace(day=1)
        following = (day + timedelta(days=32)).replace(day=1)
    return _us(day), _us(following)


def _us(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1_000_000


def _zone(name: str, text: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, LookupError):
        near = _near(name)
        remedy = f"Did you mean {near}?" if near else "Write one such as Europe/Berlin or UTC."
        raise SettingsError(f"{text!r} names no known time zone.", remedy=remedy) from None


def _near(name: str) -> str:
    """The zone that may have been meant: Europe/Berlin for ``europe/berln`` and for ``Berlin``; '' if none is near."""
    zones = sorted(available_timezones())
    known = {zone.rpartition("/")[2].lower(): zone for zone in zones} | {zone.lower(): zone for zone in zones}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.75)
    return known[found[0]] if found else ""


def _whole(text: str, whole: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _refusal(whole) from None


def _refusal(text: str) -> SettingsError:
    remedy = "Write 10/min, 2000/day rolling recipients, 150MiB/5min, 2000/day@Europe/Berlin or 200/h per tenant."
    return SettingsError(f"{text[:80]!r} is not a limit.", remedy=remedy)
