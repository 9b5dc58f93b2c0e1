"""What the local SMTP server can be told to do: limits, and faults by rule. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

#: Where something can happen. ``body``: the first bytes of a body have come. ``dot``: all of it has come, nothing is taken yet.
#: ``taken``: the mail is kept and journalled, the 250 not yet written. ``quit``: at QUIT.
Point = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "taken", "rset", "noop", "quit"]


class Fault(Enum):
    """What can be done instead of answering."""

    CUT = "cut"  #: close the connection at once
    HANG = "hang"  #: never answer; the connection stays open


#: A reply to say instead (``"550 5.1.1 No such user"``; 4yz and 5yz refuse), a fault, or seconds to wait and then go on.
Action = str | Fault | float


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a connection stands. ``mail`` counts MAIL commands of the whole server from 1, ``connection`` connections."""

    point: Point
    connection: int
    mail: int
    mail_from: str = ""
    recipient: str = ""


@dataclass(slots=True)
class Rule:
    """Do ``action`` at ``point``: for one recipient, for the nth mail, or always; ``times`` often, None: for ever."""

    point: Point
    action: Action
    recipient: str | None = None
    nth: int | None = None
    times: int | None = None

    def applies(self, moment: Moment) -> bool:
        return (
            self.point == moment.point
            and self.times != 0
            and self.recipient in (None, moment.recipient)
            and self.nth in (None, moment.mail)
        )


@dataclass(slots=True)
class Script:
    """Rules in order of telling; the first that applies acts. ``decide`` is asked when none does."""

    rules: list[Rule] = field(default_factory=list)
    decide: Callable[[Moment], Action | None] | None = None

    def action(self, moment: Moment) -> Action | None:
        for rule in self.rules:
            if rule.applies(moment):
                rule.times = None if rule.times is None else rule.times - 1
                return rule.action
        return self.decide(moment) if self.decide is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits of a mail server. None: no such limit. Durations in seconds.

    ``rate`` mails per ``window_s``, refused ``at`` that command: a token ``bucket`` of ``burst`` (default: ``rate``), or
    ``fixed`` windows counted from the first mail. Refused mails count for nothing.
    """

    rate: float | None = None
    window_s: float = 1.0
    kind: Literal["bucket", "fixed"] = "bucket"
    burst: float | None = None
    at: Literal["connect", "mail", "rcpt", "data"] = "mail"
    reply: str = "450 4.7.0 Transmit rate limit exceeded, try again later"
    daily: int | None = None
    daily_reply: str = "550 5.4.5 Daily user sending limit exceeded"
    connections: int | None = None
    connections_reply: str = "421 4.3.2 Concurrent connections limit exceeded"
    mails_per_connection: int | None = None
    mails_reply: str = "421 4.7.0 Too many messages on this connection"


class RateMeter:
    """Counts against one server's limits. ``now_s`` is a monotonic clock."""

    def __init__(self, limits: ServerLimits, now_s: Callable[[], float]) -> None:
        self._limits = limits
        self._now_s = now_s
        self._tokens = self._burst
        self._since_s: float | None = None
        self._today = 0
        self._day_s: float | None = None

    @property
    def _burst(self) -> float:
        limits = self._limits
        return max(1.0, limits.burst if limits.burst is not None else limits.rate or 0.0)

    def refusal(self, point: str) -> str | None:
        """The reply if a limit is met at this point; else the permit is spent."""
        limits = self._limits
        if point != limits.at:
            return None
        if limits.daily is not None and self._spent_today() >= limits.daily:
            return limits.daily_reply
        if limits.rate is not None and not self._permit():
            return limits.reply
        self._today += 1
        return None

    def _spent_today(self) -> int:
        now = self._now_s()
        if self._day_s is None or now - self._day_s >= 86_400:
            self._day_s, self._today = now, 0
        return self._today

    def _permit(self) -> bool:
        now, limits = self._now_s(), self._limits
        since = now if self._since_s is None else self._since_s
        rate = limits.rate or 0.0
        if limits.kind == "bucket":
            self._tokens = min(self._burst, self._tokens + (now - since) * rate / limits.window_s)
            self._since_s = now
        elif self._since_s is None or now - since >= limits.window_s:
            self._tokens, self._since_s = rate, now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
