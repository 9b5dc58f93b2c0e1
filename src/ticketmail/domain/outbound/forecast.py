"""When will a mail leave? From what waits ahead of it, the account's limits, and its holds. Pure.

It errs to the late side: others' mail that goes first is counted in full, each mail is taken to be a slow one, and what is used
of a rolling window is given back a slot late. What it cannot know is mail that is yet to be handed over in heavier lanes, and
what the server will say. tests/domain/test_forecast.py holds it to a simulated drain: never early, and late by at most three
rounds of the lanes, a twentieth of the wait, two slots of the largest rolling window, and three seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.windows import Window, WindowState, counts_until_us, pending, turn_us

#: What one mail takes on one connection, if nobody has measured it (seconds): a large one at a server far away.
MAIL_S: Final = 0.5
#: What one mail has, where windows count bytes.
MAIL_BYTES: Final = 50_000
#: Beyond this nothing is foretold (microseconds).
HORIZON_US: Final = 60 * 86_400_000_000
#: A step is at most this part of the mails before it: so exact is a forecast.
STEP: Final = 1 / 100
#: The most steps of one forecast; only hours of small windows need so many.
STEPS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """When an account will have let mails through: ``counts`` by ``times_us``, both rising, and what each waited for."""

    counts: tuple[int, ...]
    times_us: tuple[int, ...]
    waits_for: tuple[str, ...]

    def when_us(self, count: int) -> int | None:
        """When ``count`` mails will have left; None: beyond what was looked at."""
        place = bisect_left(self.counts, count)
        return self.times_us[place] if place < len(self.counts) else None

    def waiting_for(self, count: int) -> str:
        """The limit that keeps ``count`` mails longest: ``10/min``, ``5 connections``; '' if none does."""
        place = bisect_left(self.counts, count)
        return self.waits_for[place] if place < len(self.counts) else ""


def ahead_of(lane: str, place: int, due: Mapping[str, int], weights: Mapping[str, int]) -> int:
    """How many mails go before the one that has ``place`` others of its own lane before it.

    ``due`` counts what waits in each lane. While it waits, each other lane gets its weight's part and no more than it has. Two
    things are added in full: a round, for where in a round the lanes stand is not known, and a round of all lanes, for they may
    be in credit when a heavier one runs out (``lanes.share``).
    """
    waiting = {name: max(1, weights.get(name, 1)) for name, count in due.items() if count > 0 and name != lane}
    own = max(1, weights.get(lane, 1))
    total = own + sum(waiting.values())
    credit = _over(total, own)
    others = (min(due[name], _over((place + 2) * weight, own) + 1 + credit) for name, weight in waiting.items())
    return place + sum(others)


def pace_of(
    state: AccountState,
    limits: AccountLimits,
    *,
    from_us: int,
    mails: int,
    size_bytes: int = MAIL_BYTES,
    mail_s: float = MAIL_S,
    reserve: float = 0.0,
) -> Pace:
    """How fast ``mails`` can leave by an account from ``from_us`` (now, or the end of its hold) on, one recipient each.

    What the server taught counts as a limit does. ``reserve``: the part of windows above a minute that is kept for other lanes.
    """
    even = [_Even(f"{limits.slots} connections", int(mail_s * 1e6 / limits.slots), limits.slots, 0)]
    if state.learned is not None and state.learned.pace:
        pace = state.learned.pace
        even.append(_Even(f"{pace:.3g} a second, as the server taught", int(1e6 / pace), 1, state.learned.next_us))
    counted: list[_Counted] = []
    for window in limits.ours:
        per_mail, used = max(1, size_bytes) if window.unit == "bytes" else 1, state.windows.get(window.key, WindowState())
        if window.kind == "smooth":
            interval_us, burst = per_mail * window.interval_us, max(1, window.burst // per_mail)
            even.append(_Even(str(window), interval_us, burst, turn_us(used, from_us)))
        else:
            limit = max(1, int(window.limit * (1 - reserve)) // per_mail)
            counting = [(leaves_us, _over(count, per_mail)) for leaves_us, count in pending(window, used, from_us)]
            counted.append(_Counted(window, limit, counting))
    return _run(even, counted, from_us, mails)


def together(paces: Sequence[Pace]) -> Pace:
    """The pace of accounts that share their mail."""
    if len(paces) == 1:
        return paces[0]
    steps: list[tuple[int, int, str]] = []
    for pace in paces:
        before = (0, *pace.counts)
        steps += [(at_us, count - before[place], waits_for) for place, (count, at_us, waits_for) in enumerate(_steps(pace))]
    steps.sort(key=lambda step: step[0])
    counts = tuple(accumulate(count for _, count, _ in steps))
    return Pace(counts, tuple(at_us for at_us, _, _ in steps), tuple(waits_for for _, _, waits_for in steps))


def _steps(pace: Pace) -> Iterable[tuple[int, int, str]]:
    return zip(pace.counts, pace.times_us, pace.waits_for, strict=True)


def about_us(at_us: int, now_us: int) -> int:
    """``at_us`` as people say it, never earlier: to 10 s within two minutes, else to a minute, 5 minutes, an hour."""
    wait_s = (at_us - now_us) / 1e6
    grain_s = 10 if wait_s < 120 else 60 if wait_s < 3600 else 300 if wait_s < 86_400 else 3600
    return -(-at_us // (grain_s * 1_000_000)) * grain_s * 1_000_000


def _over(amount: int, by: int) -> int:
    """Divided, rounded up."""
    return -(-amount // by)


# --- how it is computed -----------------------------------------------------------------------------------------------------


class _Even:
    """A burst, then evenly: a smooth window, or connections that each take a time per mail."""

    def __init__(self, name: str, interval_us: int, burst: int, tat_us: int) -> None:
        self.name = name
        self.interval_us = max(1, interval_us)
        self._burst = burst
        self._tat_us = tat_us

    def let(self, now_us: int, count: int) -> int:
        """``count`` go; the last of them at the moment returned."""
        base_us = max(self._tat_us, now_us)
        self._tat_us = base_us + count * self.interval_us
        return max(now_us, base_us + (count - self._burst) * self.interval_us)


class _Counted:
    """At most ``limit`` that count at the same time: rolling and calendar windows."""

    def __init__(self, window: Window, limit: int, used: Sequence[tuple[int, int]]) -> None:
        self.name = str(window)
        self._window = window
        self._limit = limit
        self._used = deque(used)
        self._sum = sum(count for _, count in used)

    @property
    def slot_us(self) -> int:
        """What is let through within this stops to count at once."""
        return int(self._window.period_s * 1e6) // 60

    def room(self, now_us: int) -> int:
        """How many may go at a moment."""
        while self._used and self._used[0][0] <= now_us:
            self._sum -= self._used.popleft()[1]
        return self._limit - self._sum

    def opens_us(self, now_us: int) -> int:
        """When there is room again."""
        over = self._sum - self._limit + 1
        for leaves_us, count in self._used:
            over -= count
            if over <= 0:
                return leaves_us
        return now_us

    def let(self, now_us: int, count: int) -> None:
        """``count`` go."""
        until_us = counts_until_us(self._window, now_us)
        self._sum += count
        if self._used and self._used[-1][0] == until_us:
            count += self._used.pop()[1]
        self._used.append((until_us, count))


def _run(even: Sequence[_Even], counted: Sequence[_Counted], from_us: int, mails: int) -> Pace:
    """Steps of a few mails each; a step is no longer than a slot, so that no window gives back too early."""
    slot = min((one.slot_us // max(gate.interval_us for gate in even) for one in counted), default=mails)
    counts: list[int] = []
    times_us: list[int] = []
    waits_for: list[str] = []
    now_us, done = from_us, 0
    spent_us: dict[str, int] = {}
    while done < mails and now_us - from_us < HORIZON_US and len(counts) < STEPS:
        room, full = min(((one.room(now_us), one) for one in counted), key=lambda pair: pair[0], default=(mails, None))
        if room <= 0 and full is not None:
            opens_us = max(full.opens_us(now_us), now_us + 1)
            spent_us[full.name] = spent_us.get(full.name, 0) + opens_us - now_us
            now_us = opens_us
            continue
        count = min(room, max(1, min(slot, int(done * STEP))), mails - done)
        end_us, slowest = max((one.let(now_us, count), one.name) for one in even)
        for one in counted:
            one.let(end_us, count)
        done += count
        if end_us > now_us:
            spent_us[slowest] = spent_us.get(slowest, 0) + end_us - now_us
        now_us = end_us
        counts.append(done)
        times_us.append(now_us)
        waits_for.append(max(spent_us, key=spent_us.__getitem__, default=""))
    return Pace(tuple(counts), tuple(times_us), tuple(waits_for))
