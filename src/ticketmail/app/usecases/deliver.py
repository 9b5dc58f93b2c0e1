"""Delivering: one claimed mail goes through one account's gateway, and each recipient's outcome is decided and recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from uuid import UUID

from ticketmail.app.usecases.account_lane import NoSlot, Slots
from ticketmail.app.usecases.completions import Completions, Judgement
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.outgoing import ContentMissing, Packer
from ticketmail.app.usecases.transmission import Means, NotStarted, Transmission
from ticketmail.domain.errors import InvalidSubmission, TicketmailError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken
from ticketmail.domain.outbound.profile import Profile
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail, Completion, Deliveries
from ticketmail.domain.ports.hosting import WantedCheck
from ticketmail.domain.ports.sending import Gateway, Outgoing
from ticketmail.domain.ports.timing import Sleeper

_log = logging.getLogger("ticketmail.deliver")


@dataclass(frozen=True, slots=True)
class Errand:
    """One mail for one account. ``issued_us``: when its permit was given."""

    account: str
    mail: ClaimedMail
    issued_us: int


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it, for whoever counts and raises alarms. ``asked``: a server saw it, so its permit is spent."""

    faults: tuple[Fault, ...] = ()
    taken: int = 0
    asked: bool = False


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """Sends claimed mails. ``may_start`` is asked before a body: a worker without a heartbeat must not begin one.

    ``gateways``, ``profiles`` and ``limits`` are by account, and may change while mails are on their way.
    """

    deliveries: Deliveries
    health: AccountHealth
    gateways: Mapping[str, Gateway]
    profiles: Mapping[str, Profile]
    limits: Mapping[str, AccountLimits]
    packer: Packer
    judgement: Judgement
    sleeper: Sleeper
    may_start: Callable[[], bool]
    wanted: WantedCheck | None = None
    fitting: dict[str, int] = field(default_factory=dict, init=False)

    async def deliver(self, worker_id: UUID, errand: Errand, *, slot: Slots | None = None) -> Report:
        """Send one mail and record what became of each recipient. ``slot`` bounds connections, not records.

        Never raises for what a mail, a server or a gateway does. Raises SpoolError if the spool cannot be read or written
        before a body began; outcomes are recorded again and again until the spool takes them.
        """
        attempt = _Attempt(self, worker_id, errand)
        return await attempt.run(slot)

    def means(self, account: str) -> Means:
        """What a transmission through it needs. Raises NotStarted if it is gone."""
        gateway = self.gateways.get(account)
        if gateway is None:
            raise NotStarted("the account is gone")
        return Means(account, gateway, self.profiles.get(account), self.limits[account], self.fitting)


class _Attempt:
    """One mail on its way. Holds what the steps share."""

    def __init__(self, deliver: Deliver, worker_id: UUID, errand: Errand) -> None:
        self._by = deliver
        self._worker = worker_id
        self._mail = errand.mail
        self._errand = errand
        self._completions = Completions(errand.mail, errand.account, deliver.judgement)
        self._open: tuple[ClaimedDelivery, ...] = ()
        self._sending: Transmission | None = None
        self._place = AsyncExitStack()  # among the account's connections
        self._placed_us = errand.issued_us

    async def run(self, slot: Slots | None) -> Report:
        async with self._place:
            return await self._tried(slot)

    async def _tried(self, slot: Slots | None) -> Report:
        ended, self._open = self._completions.without_trying()
        if ended:
            await self._record(ended)
        if not self._open:
            return Report()
        try:
            outgoing = await self._outgoing()
            if isinstance(outgoing, Fault):
                return await self._untried(outgoing)
            outcomes = await self._sent(outgoing, slot)
        except NotStarted as refused:
            return await self._undo(str(refused))
        return await self._told(outcomes)

    async def _outgoing(self) -> Outgoing | Fault:
        """What is to leave, or why it cannot: the mail's own fault, of which no server hears."""
        try:
            await self._ask_host()
            return await self._by.packer.pack(self._mail, tuple(one.recipient for one in self._open), self._errand.account)
        except ContentMissing as error:
            return Fault("content-missing", FaultScope.MESSAGE, Advice.DEAD, alarm=True, text=str(error))
        except InvalidSubmission as error:
            return Fault("content-encoding", FaultScope.MESSAGE, Advice.DEAD, text=str(error))
        except (OSError, TicketmailError) as error:
            return Fault("transient", FaultScope.MESSAGE, Advice.RETRY, text=f"{type(error).__name__}: {error}")
        except NotStarted:
            raise
        except Exception as error:  # whatever a mail can do to a renderer, the next one must go on
            _log.exception("mail %s cannot be rendered", self._mail.submission_id)
            return Fault("poison", FaultScope.MESSAGE, Advice.DEAD, alarm=True, text=type(error).__name__)

    async def _ask_host(self) -> None:
        wanted = self._by.wanted
        if wanted is None:
            return
        try:
            answer = await wanted.still_wanted(
                submission_id=str(self._mail.submission_id), ticket=self._mail.ticket, lane=self._mail.lane
            )
        except Exception as error:  # a host's hook that fails must not stop its mail
            _log.warning("still_wanted failed, the mail is sent: %s", type(error).__name__)
            return
        if not answer:
            await self._record(self._completions.unwanted(self._open))
            self._open = ()
            raise NotStarted("unwanted")

    async def _sent(self, outgoing: Outgoing, slot: Slots | None) -> Sequence[Outcome]:
        if slot is None:
            return await self._transmitted(outgoing)
        try:
            await self._place.enter_async_context(slot)
        except NoSlot:
            raise NotStarted("the connections are other workers' now") from None
        self._placed_us = self._by.judgement.now_us()
        outcomes = await self._transmitted(outgoing)
        if self._too_many(outcomes):  # the place is not there for the next mail, which would be refused, too
            slot.allow(slot.most - 1)
        else:
            await self._place.aclose()
        return outcomes

    def _too_many(self, outcomes: Sequence[Outcome]) -> bool:
        assert self._sending is not None
        with suppress(Exception):  # whatever it is comes up where the outcomes are decided, and is told there
            faults = map(self._sending.means.fault_of, outcomes)
            return any(fault is not None and fault.cause == "throttled-connections" for fault in faults)
        return False

    async def _transmitted(self, outgoing: Outgoing) -> Sequence[Outcome]:
        means = self._by.means(self._errand.account)
        now_us = self._by.judgement.now_us
        self._sending = Transmission(means, begin=self._begin, may_start=self._by.may_start, now_us=now_us)
        try:
            return await self._sending.send(outgoing)
        finally:
            self._completions.began_us = self._sending.began_us

    async def _begin(self, places: Sequence[int]) -> Sequence[bool]:
        claims = [self._completions.fenced(self._open[place]) for place in places]
        return await self._by.deliveries.begin(self._worker, self._errand.account, claims)

    async def _untried(self, fault: Fault) -> Report:
        await self._record([self._completions.untried(one, fault) for one in self._open])
        return Report((fault,) * len(self._open))

    async def _told(self, outcomes: Sequence[Outcome]) -> Report:
        """What a server answered goes into the spool, and into what is known of the account."""
        sending = self._sending
        assert sending is not None
        tried = self._open[: len(outcomes)]
        try:
            faults = [sending.means.fault_of(outcome) for outcome in outcomes]
            completions = [self._completions.decided(*each) for each in zip(tried, outcomes, faults, strict=True)]
        except Exception:  # a body may have left: whatever it is, the mail must not stay SENDING under a living worker
            _log.exception("outcomes of mail %s cannot be decided", self._mail.submission_id)
            begun = sending.begun
            await self._record([self._completions.undecided(one, begun=place in begun) for place, one in enumerate(tried)])
            return await self._undo("the attempt before it could not be decided", first=len(outcomes))
        recorded = asyncio.ensure_future(self._record(completions))
        if sending.asked:
            await self._settle_account([fault for fault in faults if fault is not None], outcomes)
        await asyncio.shield(recorded)
        if len(outcomes) < len(self._open):
            await self._undo("the transaction before it ended the attempt", first=len(outcomes))
        faulty = tuple(fault for fault in faults if fault is not None)
        return Report(faulty, faults.count(None), sending.asked and not all(map(_never_connected, outcomes)))

    async def _undo(self, why: str, first: int = 0) -> Report:
        """From ``first`` on no body byte left: what was begun goes back, what was only claimed is released; neither spends an
        attempt."""
        begun = self._sending.begun if self._sending is not None else set()
        back = [one for place, one in enumerate(self._open) if place >= first and place in begun]
        if back:
            await self._record(self._completions.not_started(back, why))
        rest = [self._completions.fenced(one) for place, one in enumerate(self._open) if place >= first and place not in begun]
        if rest:
            await self._by.deliveries.release(self._worker, rest)
        return Report(asked=self._sending is not None and self._sending.asked)

    async def _settle_account(self, faults: Sequence[Fault], outcomes: Sequence[Outcome]) -> None:
        health, account = self._by.health, self._errand.account
        ours = [one for one in faults if one.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY)]
        said = next((one.allowance for one in outcomes[::-1] if isinstance(one, Taken | Refused) and one.allowance), None)
        try:
            if said is not None:
                await health.said(account, said)
            if ours:
                connections = ours[0].cause == "throttled-connections"
                await health.fault(account, ours[0], issued_us=self._placed_us if connections else self._errand.issued_us)
            else:
                # A recipient's refusal proves that the server is well, too.
                await health.success(account, issued_us=self._errand.issued_us)
        except TicketmailError as error:
            _log.warning("state of account %s cannot be written: %s", account, error)

    async def _record(self, completions: Sequence[Completion]) -> None:
        """Until the spool has it: outcomes are kept in memory, for forgetting one means a copy (a spool that is down or full)."""
        wait_s = 0.1
        while True:
            try:
                await self._by.deliveries.record(self._worker, completions)
                return
            except TicketmailError as error:
                _log.warning("outcome of %s is kept in memory, the spool does not take it: %s", self._mail.submission_id, error)
            await self._by.sleeper.sleep(wait_s)
            wait_s = min(wait_s * 2, 5.0)


def _never_connected(outcome: Outcome) -> bool:
    return isinstance(outcome, NotReached) and outcome.phase is Phase.CONNECT
