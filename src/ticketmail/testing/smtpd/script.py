"""What the local SMTP server can be told to do: faults, by rule. No I/O."""

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
