"""May the host answer a mail by itself? Two automatons that answer each other must stop; people must be answered. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.received import Acknowledge

#: Categories that may be answered; the others are automatic, or about a mail of ours (RFC 3834 section 2).
ANSWERED: Final = frozenset({"human"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How much came from an address lately, and how often the host might answer it by itself. ``same_subject`` are those
    among ``granted``."""

    mails: int = 0
    granted: int = 0
    same_subject: int = 0
    granted_in_ticket: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """Defaults of OTRS (40 a day), Odoo (20 mails in 120 minutes) and ours. Seconds."""

    recent_s: float = 7_200.0
    day_s: float = 86_400.0
    mails: int = 20  #: of one address in ``recent_s``: beyond, a machine is writing
    same_subject: int = 1  #: answers to one address about one subject a day
    a_day: int = 5  #: answers to one address a day
    in_ticket: int = 10  #: answers in one ticket a day


BUDGET: Final = Budget()


def acknowledge(
    *,
    category: str,
    against: Sequence[str],
    author: str,
    own: Sequence[str],
    silent: bool,
    pace: Pace,
    budget: Budget = BUDGET,
    held: bool = False,
) -> Acknowledge:
    """``against`` is what the mail itself says against an answer, ``author`` an address key ('' for none), ``own`` our mailboxes'
    addresses by key, ``pace`` how the author wrote so far; ``held``: the mailbox wants a person to see it first, or refuses
    it."""
    if held:
        return Acknowledge(allowed=False, reason="The mailbox does not take mail of this author by itself.")
    refusal = _by_nature(category, against, author, own, silent) or _by_pace(pace, budget)
    return Acknowledge(allowed=not refusal, reason=refusal or "A person wrote, and has not been answered by itself lately.")


def is_racing(pace: Pace, budget: Budget = BUDGET) -> bool:
    """Whether an address writes faster than a person: the circuit is open, mail is kept and nothing is answered."""
    return pace.mails >= budget.mails


def _by_nature(category: str, against: Sequence[str], author: str, own: Sequence[str], silent: bool) -> str:
    if silent:
        return "It is old mail that was imported."
    if category not in ANSWERED:
        return f"It is {category} mail, which is not answered by itself."
    if not author:
        return "Its sender is not one address."
    if author in own:
        return "It comes from a mailbox of ours."
    return f"Its own header speaks against it: {against[0]}." if against else ""


def _by_pace(pace: Pace, budget: Budget) -> str:
    if is_racing(pace, budget):
        return f"{pace.mails} mails came from there in {budget.recent_s / 60:.0f} minutes: that is a machine."
    if pace.same_subject >= budget.same_subject:
        return "The same subject was answered by itself within a day."
    if pace.granted >= budget.a_day:
        return f"That address was answered by itself {pace.granted} times within a day."
    if pace.granted_in_ticket >= budget.in_ticket:
        return f"The ticket was answered by itself {pace.granted_in_ticket} times within a day."
    return ""
