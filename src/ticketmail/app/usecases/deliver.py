"""Delivering: one claimed mail goes through one account's gateway, and each recipient's outcome is decided and recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.outgoing import ContentMissing, Packer
from ticketmail.app.usecases.telling import events_of
from ticketmail.domain.address import Address
from ticketmail.domain.errors import ContractBroken, InvalidSubmission, TicketmailError
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.deciding import Decision, Policy, Standing, decide, decide_expired, decide_suppressed
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken, Unclear
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
_NAMES = {Taken: "taken", Refused: "refused", NotReached: "not-reached", Unclear: "unclear"}


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
    """Sends claimed mails. ``may_start`` is asked before a body: a worker without a heartbeat must not begin one."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        health: AccountHealth,
        gateways: Mapping[str, Gateway],
        profiles: Mapping[str, str],
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
        self._begun: set[int] = set()  # positions in self._open whose SENDING is durable
        self._on_body_done = False
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
            completions, faults = [self._undecided(place, one) for place, one in enumerate(self._open)], []
        recorded = asyncio.ensure_future(self._record(completions))
        await self._settle_account(faults, taken=len(outcomes) - len(faults))
        await asyncio.shield(recorded)
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
            outgoing = await self._by._packer.pack(self._mail, tuple(one.recipient for one in self._open))
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
        """The gateway's outcomes, guarded against a gateway that breaks its contract."""
        self._began_us = self._by._now_us()
        if not self._by._may_start():
            raise NotStarted("this worker may start no mail now")
        try:
            outcomes = await self._by._gateways[self._errand.account].send(outgoing, on_body=self._on_body)
        except NotStarted:
            raise
        except asyncio.CancelledError:
            # A second signal: what may have left is told as such. The task ends here, recorded.
            return self._guarded("the worker was stopped while the mail was on its way")
        except Exception as error:
            _log.exception("gateway of account %s raised", self._errand.account)
            return self._guarded(f"the gateway raised {type(error).__name__}")
        if len(outcomes) != len(self._open):
            broken = ContractBroken(f"{len(outcomes)} outcomes for {len(self._open)} recipients")
            _log.error("gateway of account %s: %s", self._errand.account, broken)
            return self._guarded(f"the gateway broke its contract: {broken}")
        return outcomes

    def _guarded(self, error: str) -> list[Outcome | Fault]:
        lost = Unclear(error) if self._on_body_done else NotReached(error, Phase.MAIL)
        return [
            lost if place in self._begun or not self._on_body_done else NotReached(error, Phase.RCPT)
            for place in range(len(self._open))
        ]

    async def _on_body(self, accepted: Sequence[int]) -> None:
        if not self._by._may_start():
            raise NotStarted("this worker may start no body now")
        claims = [self._fenced(self._open[place]) for place in accepted]
        try:
            answers = await self._by._deliveries.begin(self._worker, self._errand.account, claims)
        except TicketmailError as error:
            raise NotStarted(f"the spool did not take the beginning: {error}") from error
        self._begun = {place for place, begun in zip(accepted, answers, strict=True) if begun}
        if not all(answers):
            raise NotStarted("a recipient was cancelled or taken over meanwhile")
        self._on_body_done = True

    async def _undo(self, why: str) -> Report:
        """No body byte left: what was begun goes back, what was only claimed is released; neither spends an attempt."""
        back = Decision(DeliveryState.QUEUED, self._by._now_us(), False, "not-started", f"Not started: {why}.")
        begun = [self._completion(self._open[place], back, NotReached(why, Phase.DATA), None) for place in sorted(self._begun)]
        if begun:
            await self._record(begun)
        rest = [self._fenced(one) for place, one in enumerate(self._open) if place not in self._begun]
        if rest:
            await self._by._deliveries.release(self._worker, rest)
        return Report()

    def _decided(self, outcomes: Sequence[Outcome | Fault]) -> tuple[list[Completion], list[Fault]]:
        """A completion for each recipient, and the faults among them."""
        profile = self._by._profiles.get(self._errand.account, "")
        completions: list[Completion] = []
        faults: list[Fault] = []
        for one, outcome in zip(self._open, outcomes, strict=True):
            fault = self._fault(outcome, profile)
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

    def _fault(self, outcome: Outcome | Fault, profile: str) -> Fault | None:
        if isinstance(outcome, Fault):
            return outcome
        http = self._by._gateways[self._errand.account].capabilities.http
        return None if isinstance(outcome, Taken) else classify(outcome, profile=profile, http=http)

    async def _settle_account(self, faults: Sequence[Fault], *, taken: int) -> None:
        health, account = self._by._health, self._errand.account
        ours = [one for one in faults if one.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY)]
        try:
            if ours:
                await health.fault(account, ours[0], issued_us=self._errand.issued_us)
            elif taken or faults:
                # A recipient's refusal proves that the server is well, too.
                await health.success(account)
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
        reply, remote_id = _words(outcome)
        told = decision.tell == "delayed"
        return Completion(
            claim=self._fenced(one),
            state=decision.state,
            due_us=decision.due_us,
            spends=decision.spends,
            account=account,
            outcome=_NAMES[type(outcome)] if outcome is not None else "",
            phase=_phase(outcome),
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


def _words(outcome: Outcome | None) -> tuple[str, str]:
    """The other side's line and its id for the mail."""
    match outcome:
        case Taken(remote_id=remote_id, reply=reply):
            return str(reply) if reply is not None else "", remote_id
        case Refused(reply=reply):
            return str(reply), ""
        case NotReached(error=error) | Unclear(error=error):
            return error, ""
    return "", ""


def _phase(outcome: Outcome | None) -> str:
    return outcome.phase.value if isinstance(outcome, (Refused, NotReached, Unclear)) else ""
