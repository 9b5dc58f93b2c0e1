"""The matrix: what the mail server allows, which the workers are never told, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.tally import Tally, Usage

#: The goals of every scenario, but for those that say otherwise.
USED, REFUSED_PER_100, HALVED_S, DOUBLED_S = 0.90, 2.0, 30.0, 180.0


@dataclass(frozen=True)
class Span:
    """What is measured, in seconds since the first mail; changes of limits come at ``halved_s`` and ``doubled_s``."""

    from_s: float
    to_s: float
    halved_s: float
    doubled_s: float


FULL = Span(120, 600, 240, 420)
SHORT = Span(40, 160, 60, 100)
_DAY_S = 86_400.0
#: A day from its first mail to the first mail of the next, which is found by one try an hour at the latest.
DAY = Span(0, _DAY_S + 4000, 0, 0)


@dataclass(frozen=True)
class Scenario:
    """``allowed_per_s``: by all accounts together, where no rate says it. ``changes``: it halves and doubles on the way."""

    name: str
    limits: ServerLimits
    accounts: int = 1
    dot_delay_s: float = 0.0
    allowed_per_s: float = 0.0
    changes: bool = False
    span: Span | None = None  #: its own
    poll_s: float = 0.1  #: how long an idle worker waits in virtual time: a day of tenths is long

    @property
    def pace(self) -> float:
        """Mails per second that may leave, in all."""
        return self.allowed_per_s or self.limits.allowed_per_s() * self.accounts

    def timed(self, span: Span) -> Scenario:
        """With its changes where the span has them."""
        if not self.changes:
            return self
        return replace(self, limits=replace(self.limits, changes=((span.halved_s, 0.5), (span.doubled_s, 1.0))))


@dataclass
class Result:
    """One run. ``found_s``: seconds after a halving and a doubling until the new limit was kept, and used; None: never."""

    scenario: str
    workers: int
    handed_over: int
    sent: int
    dead: int
    wasted: int
    copies: int
    usage: Usage
    halved_found_s: float | None = None
    doubled_found_s: float | None = None
    real_s: float = 0.0
    changes: bool = False
    taken_in_second: list[int] = field(default_factory=list)
    refused_in_second: list[int] = field(default_factory=list)

    @property
    def missed(self) -> list[str]:
        """The goals that were not met."""
        goals = {
            "delivered": self.sent == self.handed_over,
            "used": self.usage.used >= USED,
            "refused": self.usage.refused_per_100 <= REFUSED_PER_100,
            "dead": self.dead == 0,
            "copies": self.copies == 0,
            "halved": not self.changes or _within(self.halved_found_s, HALVED_S),
            "doubled": not self.changes or _within(self.doubled_found_s, DOUBLED_S),
        }
        return [name for name, met in goals.items() if not met]

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {**asdict(self), "used": self.usage.used, "refused_per_100": self.usage.refused_per_100, "missed": self.missed}


def _within(found_s: float | None, most_s: float) -> bool:
    return found_s is not None and found_s <= most_s


def found(tally: Tally, since_s: float, until_s: float) -> float | None:
    """Seconds after ``since_s`` from which on, for a while, 90 % of what is allowed are used with at most 2 refusals per 100."""
    while_s = max(10.0, math.ceil(20 / tally.rate_at(since_s)), tally.period_s)
    for at_s in range(math.ceil(since_s), int(until_s - while_s) + 1):
        usage = tally.usage(at_s, at_s + while_s)
        if usage.used >= USED and usage.refused <= max(1.0, REFUSED_PER_100 / 100 * usage.taken):
            return at_s - since_s
    return None


def merged(tallies: Sequence[Tally]) -> Tally:
    """Several accounts as one."""
    whole = Tally(sum(one.allowed_per_s for one in tallies), max(one.period_s for one in tallies), list(tallies[0].changes))
    whole.starts = list(tallies[0].starts)
    for tally in tallies:
        for kind, counts in tally.seconds.items():
            whole.seconds[kind].update(counts)
    return whole


def scenarios(rates: Sequence[float] = (2, 30, 200), *, minutes: bool = True) -> Iterator[Scenario]:
    """All of them, at these mails per second; with windows of a minute at the lower ones."""
    for rate in rates:
        yield from _at(rate)
    if minutes:
        for per_minute in (30, 600):
            limits = ServerLimits(rate=per_minute, window_s=60.0, kind="fixed")
            yield Scenario(f"window {per_minute}/min", limits)
            yield Scenario(f"window on the grid {per_minute}/min", replace(limits, kind="grid"))
            yield Scenario(f"bucket {per_minute}/min", replace(limits, kind="bucket"))
        tarpit = ServerLimits(rate=30, window_s=60.0, burst=1, excess="delay", at="dot", connections=3, connections_at="dot")
        reply = "432 4.3.2 Concurrent connections limit exceeded"
        yield Scenario("tarpit 30/min, 3 connections by 432", replace(tarpit, connections_reply=reply))


def quotas(*, virtual: bool) -> Iterator[Scenario]:
    """A quota that is used up in half of its day, and comes back. Whole days pass in virtual time only."""
    yield Scenario("quota 1800 per 2 min", ServerLimits(rate=30, daily=1800, day_s=120))
    if virtual:
        yield Scenario("quota 2000/day", ServerLimits(rate=1, daily=2000, day_s=_DAY_S), span=DAY, poll_s=10.0)


def _at(rate: float) -> Iterator[Scenario]:
    window = ServerLimits(rate=rate, kind="grid")
    bucket = ServerLimits(rate=rate, kind="bucket")
    shut = replace(bucket, shut=True, reply="421 4.7.0 Too much mail, try again later")
    say = f"{rate:g}/s"
    yield Scenario(f"window {say}", window)
    yield Scenario(f"bucket {say}", bucket)
    yield Scenario(f"421 at connect {say}", shut)
    yield Scenario(f"refused at RCPT {say}", replace(bucket, at="rcpt"))
    yield Scenario(f"refused at DATA {say}", replace(bucket, at="data"))
    yield Scenario(f"refused at the dot {say}", replace(bucket, at="dot", reply="452 4.3.1 Insufficient system resources"))
    yield Scenario(f"tarpit {say}", replace(bucket, burst=1, excess="delay", at="dot", connections=3))
    capped = ServerLimits(connections=3)
    yield Scenario(f"3 connections {say}", capped, dot_delay_s=3 / rate, allowed_per_s=rate)
    yield Scenario(f"halved and doubled {say}", bucket, changes=True)
    yield Scenario(f"two accounts {say}", replace(bucket, rate=rate / 2, per_login=True), accounts=2)
    yield Scenario(f"30 % steady neighbour {say}", replace(bucket, neighbour=0.3))
    yield Scenario(f"30 % bursty neighbour {say}", replace(bucket, neighbour=0.3, neighbour_cycle_s=30))
