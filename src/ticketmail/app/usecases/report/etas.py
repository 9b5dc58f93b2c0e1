"""When a mail leaves, as values and in words; and how many go before it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ticketmail.app.usecases.report.holds import Surroundings
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.forecast import about_us
from ticketmail.domain.ports.reading import DeliveryView, Reading

#: Up to so many that go before a mail are counted; a mail behind more may be behind all.
COUNTED = 100_000
#: What is sooner than this is at once (microseconds).
SOON_US = 2_000_000


@dataclass(frozen=True, slots=True)
class Eta:
    """When a mail should leave (UTC microseconds, erring to the late side), or None and a ``reason`` why none can be said.

    ``ahead`` counts mails that go before it, at most; ``waits_for`` is what keeps it (``10/min``, ``5 connections``; '' if only
    its turn); ``account`` is the one it should leave by.
    """

    at_us: int | None
    reason: str = ""
    ahead: int = 0
    waits_for: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryEta:
    """When one delivery leaves. ``about_us`` is ``at_us`` as people say it, rounded up; ``late``: its deadline passes before."""

    submission_id: UUID
    number: int
    recipient: str
    ticket: str | None
    lane: str
    state: DeliveryState
    eta: Eta
    about_us: int | None
    deadline_us: int
    late: bool


@dataclass(frozen=True, slots=True)
class LaneEta:
    """When the last of what is due in a lane leaves."""

    lane: str
    due: int
    last: Eta
    about_us: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """How many of its own lane and route go before a mail, ``own`` of them of its own tenant (where that is looked at).
    ``exact`` False: at most so many."""

    count: int
    exact: bool = True
    own: int = 0


def place_of(reading: Reading, view: DeliveryView, around: Surroundings) -> Place:
    """How many of the same lane and route are due before ``view``. Raises SpoolError kin."""
    count = reading.earlier(view, limit=COUNTED)
    tenants = any(around.limits(name).of_tenant for name in around.facts.accounts_of(view.route))
    own = reading.earlier(view, limit=COUNTED, own=True) if tenants else 0
    if count < COUNTED:
        return Place(count, own=own)
    due = sum(load.due for load in around.overview.lanes if (load.lane, load.route) == (view.lane, view.route))
    return Place(max(COUNTED, due), exact=False, own=own)


def leaves(eta: Eta, times: Times) -> str:
    """``about 14:32:00 +01:00 (at most 12 mails go before it, it waits for 10/min)``, rounded up."""
    if eta.at_us is None:
        return f"at a time that cannot be said: {eta.reason}"
    if eta.at_us - times.now_us < SOON_US:
        return "as soon as it is its turn"
    before = f"at most {eta.ahead} mail{'s go' if eta.ahead > 1 else ' goes'} before it" if eta.ahead else ""
    because = ", ".join(part for part in (before, eta.waits_for and f"it waits for {eta.waits_for}") if part)
    return f"about {times.at(about_us(eta.at_us, times.now_us))}" + (f" ({because})" if because else "")
