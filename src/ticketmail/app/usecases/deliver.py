"""Delivering: one claimed mail goes through one account's gateway, and each recipient's outcome is decided and recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.outgoing import ContentMissing, Packer, part_of
from ticketmail.app.usecases.telling import events_of, name_of, phase_of, words_of
from ticketmail.domain.address import Address
from ticketmail.domain.errors import ContractBroken, InvalidSubmission, TicketmailError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.deciding import Decision, Policy, Standing, decide, decide_expired, decide_suppressed
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.profile import Profile
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail, Completion, Deliveries, Fenced
from ticketmail.domain.ports.hosting import WantedCheck
from ticketmail.domain.ports.sending import Gateway, Outgoing
from ticketmail.domain.ports.timing import Sleeper

_log = logging.getLogger("ticketmail.deliver")
#: A recipient's address is left alone this long after a fault that suppresses (microseconds: 90 days).
SUPPRESSED_US = 90 * 86_400 * 1_000_000
#: A mail whose outcome could not be decided is tried again after this (microseconds), if nothing of it had left.
UNDECIDED_US = 60 * 1_000_000


class NotStarted(Exception):
    """``begin`` said no (cancelled, stale, a worker that may not start): no byte of the body leaves."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One mail for one account. ``issued_us``: when its permit was given."""

    account: str
    mail: ClaimedMail
    issued_us: int


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it, for whoever counts and raises alarms."""

    faults: tuple[Fault, ...] = ()
    taken: int = 0


class Deliver:
    """Sends claimed mails. ``may_start`` is asked before a body: a worker without a heartbeat must not begin one.

    ``gateways``, ``profiles`` and ``limits`` are by account, and may change while mails are on their way.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        health: AccountHealth,
        gateways: Mapping[str, Gateway],
        profiles: Mapping[str, Profile],
        limits: Mapping[str, AccountLimits],
        packer: Packer,
        lanes: Lanes,
        policy: Policy,
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        sleeper: Sleeper,
        may_start: Callable[[], bool],
        wanted: WantedCheck | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._health = health
        self._gateways = gateways
        self._profiles = profiles
        self._limits = limits
        self._fitting: dict[str, int] = {}  # recipients that an account's server took at once, where it refused more
        self._packer = packer
        self._lanes = lanes
        self._policy = policy
        self._now_us = now_us
        self._jitter = jitter
        self._sleeper = sleeper
        self._may_start = may_start
        self._wanted = wanted

    async def deliver(self, worker_id: UUID, errand: Errand, *, slot: asyncio.Semaphore | None = None) -> Report:
        """Send one mail and record what became of each recipient. ``slot`` bounds connections, not records.

        Never raises for what a mail, a server or a gateway does. Raises SpoolError if the spool cannot be read or written
        before a body began; outcomes are recorded again and again until the spool takes them.
        """
        attempt = _Attempt(self, worker_id, errand)
        return await attempt.run(slot)


class _Attempt:
    """One mail on its way. Holds what the steps share."""

    def __init__(self, deliver: Deliver, worker_id: UUID, errand: Errand) -> None:
        self._by = deliver
        self._worker = worker_id
        self._errand = errand
        self._mail = errand.mail
        self._began_us = deliver._now_us()
        self._gateway: Gateway | None = None
        self._begun: set[int] = set()  # positions in self._open whose SENDING is durable
        self._on_body_done = False  # of the transaction that runs
        self._open: tuple[ClaimedDelivery, ...] = ()

    async def run(self, slot: asyncio.Semaphore | None) -> Report:
        now_us = self._began_us
        ended, self._open = self._without_trying(now_us)
        if ended:
            await self._record([self._completion(one, decision, None, None) for one, decision in ended])
        if not self._open:
            return Report()
        try:
            outcomes = await self._outcomes(slot)
        except NotStarted as refused:
            return await self._undo(str(refused))
        try:
            completions, faults = self._decided(outcomes)
        except Exception:  # a body may have left: whatever it is, the mail must not stay SENDING under a living worker
            _log.exception("outcomes of mail %s cannot be decided", self._mail.submission_id)
            completions, faults = [self._undecided(place, one) for place, one in enumerate(self._open[: len(outcomes)])], []
        recorded = asyncio.ensure_future(self._record(completions))
        await self._settle_account(faults, outcomes)
        await asyncio.shield(recorded)
        if len(outcomes) < len(self._open):
            await self._undo("the transaction before it ended the attempt", first=len(outcomes))
        return Report(tuple(faults), len(outcomes) - len(faults))

    def _without_trying(self, now_us: int) -> tuple[list[tuple[ClaimedDelivery, Decision]], tuple[ClaimedDelivery, ...]]:
        ended: list[tuple[ClaimedDelivery, Decision]] = []
        rest: list[ClaimedDelivery] = []
        for one in self._mail.deliveries:
            if one.suppression is not None:
                ended.append((one, decide_suppressed(one.suppression)))
            elif now_us >= self._mail.deadline_us:
                ended.append((one, decide_expired(self._standing(one), last_cause=one.last_cause)))
            else:
                rest.append(one)
        return ended, tuple(rest)

    async def _outcomes(self, slot: asyncio.Semaphore | None) -> Sequence[Outcome | Fault]:
        try:
            await self._ask_host()
            recipients = tuple(one.recipient for one in self._open)
            outgoing = await self._by._packer.pack(self._mail, recipients, self._errand.account)
        except ContentMissing as error:
            return self._all(Fault("content-missing", FaultScope.MESSAGE, Advice.DEAD, alarm=True, text=str(error)))
        except InvalidSubmission as error:
            return self._all(Fault("content-encoding", FaultScope.MESSAGE, Advice.DEAD, text=str(error)))
        except (OSError, TicketmailError) as error:
            return self._all(Fault("transient", FaultScope.MESSAGE, Advice.RETRY, text=f"{type(error).__name__}: {error}"))
        except NotStarted:
            raise
        except Exception as error:  # whatever a mail can do to a renderer, the next one must go on
            _log.exception("mail %s cannot be rendered", self._mail.submission_id)
            return self._all(Fault("poison", FaultScope.MESSAGE, Advice.DEAD, alarm=True, text=type(error).__name__))
        if slot is None:
            return await self._send(outgoing)
        async with slot:
            return await self._send(outgoing)

    async def _ask_host(self) -> None:
        wanted = self._by._wanted
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
            await self._cancel("The host does not want it any more.")
            raise NotStarted("unwanted")

    async def _cancel(self, reason: str) -> None:
        decision = Decision(DeliveryState.CANCELLED, None, False, "cancelled", reason)
        await self._record([self._completion(one, decision, None, None) for one in self._open])
        self._open = ()

    def _all(self, fault: Fault) -> list[Outcome | Fault]:
        return [fault] * len(self._open)

    async def _send(self, outgoing: Outgoing) -> Sequence[Outcome | Fault]:
        """One transaction, or several where the account takes fewer recipients at once: one mail, one Message-ID. Fewer
        outcomes than recipients: the rest was not tried, for the account or its server is not well."""
        self._gateway = self._by._gateways.get(self._errand.account)
        if self._gateway is None:
            raise NotStarted("the account is gone")
        limits = self._by._limits[self._errand.account]
        if limits.max_size_bytes is not None and len(outgoing.mime) > limits.max_size_bytes:
            text = f"{len(outgoing.mime)} bytes, max_size of the account is {limits.max_size_bytes} (found before sending)"
            return [Refused(Reply(552, text, "5.3.4"), Phase.MAIL)] * len(self._open)
        outcomes: list[Outcome | Fault] = []
        while len(outcomes) < len(self._open):
            first = len(outcomes)
            part = part_of(outgoing, first, self._most(limits, self._gateway))
            try:
                outcomes += await self._transaction(self._gateway, part, first)
            except NotStarted:
                if not first:
                    raise
                break
            if self._ended(outcomes[first:]):
                break
        return outcomes

    def _most(self, limits: AccountLimits, gateway: Gateway) -> int:
        known = (limits.max_recipients, gateway.capabilities.max_recipients, self._by._fitting.get(self._errand.account))
        return min((one for one in known if one), default=len(self._open))

    def _ended(self, outcomes: Sequence[Outcome | Fault]) -> bool:
        """Whether a transaction's outcomes end the attempt. Notes how many recipients the server took, where it refused more."""
        faults = [fault for fault in map(self._fault, outcomes) if fault is not None]
        refused = sum(fault.advice is Advice.SPLIT for fault in faults)
        if refused and len(outcomes) > 1:
            self._by._fitting[self._errand.account] = (len(outcomes) - refused) or len(outcomes) // 2
        return any(fault.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY) for fault in faults)

    async def _transaction(self, gateway: Gateway, outgoing: Outgoing, first: int) -> Sequence[Outcome]:
        """The gateway's outcomes for the recipients from ``first`` on, guarded against a gateway that breaks its contract."""
        self._on_body_done = False
        places = range(first, first + len(outgoing.recipients))
        if not first:
            self._began_us = self._by._now_us()
        if not self._by._may_start():
            raise NotStarted("this worker may start no mail now")
        try:
            outcomes = await gateway.send(outgoing, on_body=partial(self._on_body, first))
        except NotStarted:
            raise
        except asyncio.CancelledError:
            # A second signal: what may have left is told as such. The task ends here, recorded.
            return self._guarded("the worker was stopped while the mail was on its way", places)
        except Exception as error:
            _log.exception("gateway of account %s raised", self._errand.account)
            return self._guarded(f"the gateway raised {type(error).__name__}", places)
        if len(outcomes) != len(places):
            broken = ContractBroken(f"{len(outcomes)} outcomes for {len(places)} recipients")
            _log.error("gateway of account %s: %s", self._errand.account, broken)
            return self._guarded(f"the gateway broke its contract: {broken}", places)
        return outcomes

    def _guarded(self, error: str, places: Sequence[int]) -> list[Outcome]:
        lost = Unclear(error) if self._on_body_done else NotReached(error, Phase.MAIL)
        return [lost if place in self._begun or not self._on_body_done else NotReached(error, Phase.RCPT) for place in places]

    async def _on_body(self, first: int, accepted: Sequence[int]) -> None:
        if not self._by._may_start():
            raise NotStarted("this worker may start no body now")
        places = [first + index for index in accepted]
        claims = [self._fenced(self._open[place]) for place in places]
        try:
            answers = await self._by._deliveries.begin(self._worker, self._errand.account, claims)
        except TicketmailError as error:
            raise NotStarted(f"the spool did not take the beginning: {error}") from error
        self._begun |= {place for place, begun in zip(places, answers, strict=True) if begun}
        if not all(answers):
            raise NotStarted("a recipient was cancelled or taken over meanwhile")
        self._on_body_done = True

    async def _undo(self, why: str, first: int = 0) -> Report:
        """From ``first`` on no body byte left: what was begun goes back, what was only claimed is released; neither spends an
        attempt."""
        back = Decision(DeliveryState.QUEUED, self._by._now_us(), False, "not-started", f"Not started: {why}.")
        begun = [
            self._completion(self._open[place], back, NotReached(why, Phase.DATA), None)
            for place in sorted(self._begun)
            if place >= first
        ]
        if begun:
            await self._record(begun)
        rest = [self._fenced(one) for place, one in enumerate(self._open) if place >= first and place not in self._begun]
        if rest:
            await self._by._deliveries.release(self._worker, rest)
        return Report()

    def _decided(self, outcomes: Sequence[Outcome | Fault]) -> tuple[list[Completion], list[Fault]]:
        """A completion for each recipient that was tried, and the faults among them."""
        completions: list[Completion] = []
        faults: list[Fault] = []
        for one, outcome in zip(self._open, outcomes, strict=False):
            fault = self._fault(outcome)
            seen = outcome if not isinstance(outcome, Fault) else NotReached(outcome.text, Phase.CONNECT)
            decision = decide(
                self._standing(one), seen, fault, self._by._policy, now_us=self._by._now_us(), jitter=self._by._jitter()
            )
            completions.append(self._completion(one, decision, None if isinstance(outcome, Fault) else outcome, fault))
            faults += [fault] if fault is not None else []
        return completions, faults

    def _undecided(self, place: int, one: ClaimedDelivery) -> Completion:
        """Without the domain's word: what may have left is unknown and waits for a human, the rest is tried again."""
        reason = "A fault of ours; the log of the worker has it."
        begun = place in self._begun
        state = DeliveryState.UNKNOWN if begun else DeliveryState.QUEUED
        due_us = None if begun else self._by._now_us() + UNDECIDED_US
        return Completion(
            self._fenced(one), state, due_us=due_us, spends=True, account=self._errand.account, cause="undecided", reason=reason
        )

    def _fault(self, outcome: Outcome | Fault) -> Fault | None:
        if isinstance(outcome, Fault):
            return outcome
        if isinstance(outcome, Taken):
            return None
        profile = self._by._profiles.get(self._errand.account)
        http = self._gateway is not None and self._gateway.capabilities.http
        if profile is None:
            return classify(outcome, http=http)
        return classify(outcome, profile=profile.name, http=http, rules=profile.rules)

    async def _settle_account(self, faults: Sequence[Fault], outcomes: Sequence[Outcome | Fault]) -> None:
        health, account = self._by._health, self._errand.account
        ours = [one for one in faults if one.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY)]
        said = next((one.allowance for one in outcomes[::-1] if isinstance(one, Taken | Refused) and one.allowance), None)
        try:
            if said is not None:
                await health.said(account, said)
            if ours:
                await health.fault(account, ours[0], issued_us=self._errand.issued_us)
            elif outcomes:
                # A recipient's refusal proves that the server is well, too.
                await health.success(account, issued_us=self._errand.issued_us)
        except TicketmailError as error:
            _log.warning("state of account %s cannot be written: %s", account, error)

    async def _record(self, completions: Sequence[Completion]) -> None:
        """Until the spool has it: outcomes are kept in memory, for forgetting one means a copy (a spool that is down or full)."""
        wait_s = 0.1
        while True:
            try:
                await self._by._deliveries.record(self._worker, completions)
                return
            except TicketmailError as error:
                _log.warning("outcome of %s is kept in memory, the spool does not take it: %s", self._mail.submission_id, error)
            await self._by._sleeper.sleep(wait_s)
            wait_s = min(wait_s * 2, 5.0)

    def _completion(self, one: ClaimedDelivery, decision: Decision, outcome: Outcome | None, fault: Fault | None) -> Completion:
        now_us = self._by._now_us()
        account = self._errand.account if outcome is not None else ""
        reply, remote_id = words_of(outcome)
        told = decision.tell == "delayed"
        return Completion(
            claim=self._fenced(one),
            state=decision.state,
            due_us=decision.due_us,
            spends=decision.spends,
            account=account,
            outcome=name_of(outcome),
            phase=phase_of(outcome),
            cause=decision.cause,
            reason=decision.reason,
            reply=reply,
            remote_id=remote_id,
            began_us=self._began_us,
            ended_us=now_us,
            delay_told=told,
            suppress=self._suppression(one, decision, now_us, reply),
            events=events_of(self._mail, one, decision, now_us=now_us, account=account, reply=reply, remote_id=remote_id),
        )

    def _suppression(self, one: ClaimedDelivery, decision: Decision, now_us: int, reply: str) -> Suppression | None:
        if not decision.suppress:
            return None
        key = Address.model_validate(one.recipient).key
        return Suppression(key, decision.cause, reply, now_us, now_us + SUPPRESSED_US, self._mail.tenant)

    def _standing(self, one: ClaimedDelivery) -> Standing:
        return Standing(
            attempts=one.attempts,
            unknowns=one.unknowns,
            accepted_us=self._mail.accepted_us,
            deadline_us=self._mail.deadline_us,
            delay_told=one.delay_told,
            lane=self._by._lanes.of(self._mail.lane),
            lost_alone=one.lost_alone,
        )

    def _fenced(self, one: ClaimedDelivery) -> Fenced:
        return Fenced(self._mail.submission_id, one.number, one.fence)
