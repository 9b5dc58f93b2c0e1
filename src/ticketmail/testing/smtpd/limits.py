"""Limits of a mail server as models, for the local server and for simulations alike. No I/O; the clock is passed in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ticketmail.testing.smtpd.tally import Tally

#: Bursts of the other client: this part of each cycle it asks for as much as else in the whole of it.
_BURST_PART: Final = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits of a mail server. None: no such limit. Durations in seconds.

    ``rate`` mails per ``window_s``: a token ``bucket`` of ``burst`` (default: ``rate``), ``fixed`` windows from the first mail
    after the last one's end, or windows on the clock's ``grid``. Beyond it mails are refused ``at`` that command and count for
    nothing, or with ``excess="delay"`` (bucket only) answered when their turn has come. ``connect``: connections are counted.
    ``shut``: while nothing is left connections are refused, too, and open ones closed.
    """

    rate: float | None = None
    window_s: float = 1.0
    kind: Literal["bucket", "fixed", "grid"] = "bucket"
    burst: float | None = None
    at: Literal["connect", "mail", "rcpt", "data", "dot"] = "mail"
    reply: str = "450 4.7.0 Transmit rate limit exceeded, try again later"
    excess: Literal["refuse", "delay"] = "refuse"
    shut: bool = False
    daily: int | None = None
    day_s: float = 86_400.0  #: from the first mail on
    daily_reply: str = "550 5.4.5 Daily user sending limit exceeded"
    connections: int | None = None
    connections_at: Literal["connect", "mail", "dot"] = "connect"  #: Office 365 says 432 after the body
    connections_reply: str = "421 4.3.2 Concurrent connections limit exceeded"
    mails_per_connection: int | None = None
    mails_reply: str = "421 4.7.0 Too many messages on this connection"
    per_login: bool = False  #: each login has the rate, day and connections for itself
    changes: tuple[tuple[float, float], ...] = ()  #: (seconds after the first mail, factor of rate and day from then on)
    neighbour: float = 0.0  #: the part of the rate that another client asks for; what it is refused, it does not ask for again
    neighbour_cycle_s: float = 0.0  #: it does so in the first third of each cycle, three times as fast. 0: steadily

    def allowed_per_s(self, factor: float = 1.0) -> float:
        """Mails that may be taken in the long run; infinite without limits."""
        per_connection = (self.mails_per_connection or 1) if self.at == "connect" else 1
        rate = math.inf if self.rate is None else self.rate * per_connection / self.window_s
        day = math.inf if self.daily is None else self.daily / self.day_s
        return min(rate, day) * factor


class _Permits:
    """What is left of one limit."""

    def __init__(self, limit: float, window_s: float, kind: str, burst: float) -> None:
        self.factor = 1.0
        self._limit, self._window_s, self._kind = limit, window_s, kind
        self._burst = max(1.0, burst)
        self._level = self._burst  #: of a bucket
        self._used = 0
        self._since_s: float | None = None

    def refill(self, now_s: float) -> bool:
        """Up to now. True if a window has begun."""
        since_s = self._since_s
        if self._kind == "bucket":
            passed_s = 0.0 if since_s is None else max(0.0, now_s - since_s)
            self._level = min(self._burst, self._level + passed_s * self._limit * self.factor / self._window_s)
            self._since_s = now_s if since_s is None else max(now_s, since_s)
            return False
        if since_s is not None and now_s - since_s < self._window_s:
            return False
        self._since_s = now_s // self._window_s * self._window_s if self._kind == "grid" else now_s
        self._used = 0
        return True

    @property
    def left(self) -> float:
        return self._level if self._kind == "bucket" else self._limit * self.factor - self._used

    def spend(self) -> None:
        self._level -= 1.0
        self._used += 1

    @property
    def debt_s(self) -> float:
        """Until a bucket that was spent beyond its level is level again."""
        return max(0.0, -self._level * self._window_s / (self._limit * self.factor))


class RateMeter:
    """Counts against one account's limits. ``now_s`` is any clock that goes evenly; the wall's for a ``grid``."""

    def __init__(self, limits: ServerLimits, now_s: Callable[[], float]) -> None:
        self._limits = limits
        self._now_s = now_s
        burst = limits.burst if limits.burst is not None else limits.rate or 0.0
        self._rate = None if limits.rate is None else _Permits(limits.rate, limits.window_s, limits.kind, burst)
        self._day = None if limits.daily is None else _Permits(limits.daily, limits.day_s, "fixed", 0)
        self._changes = list(limits.changes)
        self._began_s: float | None = None
        self._neighbour_s = 0.0  #: since the first mail: when the other client sends next
        self.tally = Tally(allowed_per_s=limits.allowed_per_s(), period_s=self._period_s)

    @property
    def _period_s(self) -> float:
        """The longest window whose edges a measurement has to respect. 0: none."""
        limits = self._limits
        windows = [limits.window_s] if limits.rate is not None and limits.kind != "bucket" else []
        return max([*windows, *([limits.day_s] if limits.daily is not None else [])], default=0.0)

    def verdict(self, point: str) -> str | float | None:
        """The reply if a limit is met at this point; else the permit is spent, and answered after so many seconds (None: now)."""
        limits = self._limits
        if point != limits.at:
            return self._shut(point)
        self._advance()
        if self._day is not None and self._day.left < 1.0:
            return limits.daily_reply
        if self._rate is not None and self._rate.left < 1.0 and limits.excess == "refuse":
            return limits.reply
        for permits in (self._day, self._rate):
            if permits is not None:
                permits.spend()
        delay_s = self._rate.debt_s if self._rate is not None and limits.excess == "delay" else 0.0
        if delay_s > 0:
            self.count("delayed")
        return delay_s or None

    def refusal(self, point: str) -> str | None:
        """The reply if a limit is met at this point; else the permit is spent."""
        verdict = self.verdict(point)
        return verdict if isinstance(verdict, str) else None

    def change(self, factor: float) -> None:
        """From now on the limits are ``factor`` of what they were at first."""
        self._advance()
        self._set(factor, self._since_first(self._now_s()))

    def count(self, what: Literal["taken", "refused", "delayed", "neighbour"]) -> None:
        """For the statistics, at this moment."""
        self.tally.count(what, self._since_first(self._now_s()))

    def advance(self) -> None:
        """Let everything happen that was to happen until now: a change, the other client's mails."""
        if self._began_s is not None:
            self._advance()

    def _shut(self, point: str) -> str | None:
        if not self._limits.shut or point != "connect" or self._rate is None:
            return None
        self._advance()
        return self._limits.reply if self._rate.left < 1.0 else None

    def _since_first(self, now_s: float) -> float:
        if self._began_s is None:
            self._began_s = now_s
        return now_s - self._began_s

    def _advance(self) -> None:
        now_s = self._now_s()
        passed_s = self._since_first(now_s)
        while self._changes and self._changes[0][0] <= passed_s:
            at_s, factor = self._changes.pop(0)
            self._set(factor, at_s)
        while self._limits.neighbour and self._neighbour_s <= passed_s:
            self._neighbours_turn()
        self._refill(now_s)

    def _set(self, factor: float, at_s: float) -> None:
        self._refill((self._began_s or 0.0) + at_s)
        for permits in (self._rate, self._day):
            if permits is not None:
                permits.factor = factor
        self.tally.changes.append((at_s, self._limits.allowed_per_s(factor)))

    def _refill(self, now_s: float) -> None:
        periods = ((self._day, self._limits.day_s), (self._rate, self._limits.window_s))
        for permits, period_s in periods:
            if permits is not None and permits.refill(now_s) and period_s == self.tally.period_s:
                self.tally.starts.append(self._since_first(now_s))

    def _neighbours_turn(self) -> None:
        limits, at_s = self._limits, self._neighbour_s
        self._refill((self._began_s or 0.0) + at_s)
        if self._rate is not None and self._rate.left >= 1.0:
            self._rate.spend()
            self.tally.count("neighbour", at_s)
        pause_s = limits.window_s / ((limits.rate or 1.0) * limits.neighbour)
        cycle_s = limits.neighbour_cycle_s
        if not cycle_s:
            self._neighbour_s += pause_s
            return
        self._neighbour_s += pause_s * _BURST_PART
        if self._neighbour_s % cycle_s >= cycle_s * _BURST_PART:
            self._neighbour_s = (self._neighbour_s // cycle_s + 1) * cycle_s
