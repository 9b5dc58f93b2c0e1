"""What the spool is told of a mail's recipients: the domain's decisions, as completions of their claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ticketmail.app.usecases.telling import events_of, name_of, phase_of, words_of
from ticketmail.domain.address import Address
from ticketmail.domain.outbound.deciding import (
    Decision,
    Policy,
    Standing,
    decide,
    decide_expired,
    decide_suppressed,
    decide_unwanted,
)
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase
from ticketmail.domain.outbound.suppression import SUPPRESSED_US, Suppression
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail, Completion, Fenced

#: A mail whose outcome could not be decided is tried again after this (microseconds), if nothing of it had left.
UNDECIDED_US = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What decides: the host's policy, its lanes, the spool's time (UTC microseconds) and chance in [0, 1)."""

    policy: Policy
    lanes: Lanes
    now_us: Callable[[], int]
    jitter: Callable[[], float]


class Completions:
    """Of one mail that is tried through one account. ``began_us``: when its transactions began."""

    def __init__(self, mail: ClaimedMail, account: str, by: Judgement) -> None:
        self._mail = mail
        self._account = account
        self._by = by
        self.began_us = by.now_us()

    def fenced(self, one: ClaimedDelivery) -> Fenced:
        """Its claim."""
        return Fenced(self._mail.submission_id, one.number, one.fence)

    def without_trying(self) -> tuple[list[Completion], tuple[ClaimedDelivery, ...]]:
        """Those that are suppressed or too late; and the rest, which is to be tried."""
        ended: list[Completion] = []
        rest: list[ClaimedDelivery] = []
        for one in self._mail.deliveries:
            if one.suppression is not None:
                ended.append(self.of(one, decide_suppressed(one.suppression)))
            elif self.began_us >= self._mail.deadline_us:
                ended.append(self.of(one, decide_expired(self._standing(one), last_cause=one.last_cause)))
            else:
                rest.append(one)
        return ended, tuple(rest)

    def decided(self, one: ClaimedDelivery, outcome: Outcome, fault: Fault | None) -> Completion:
        """What a server answered."""
        return self.of(one, self._decision(one, outcome, fault), outcome)

    def untried(self, one: ClaimedDelivery, fault: Fault) -> Completion:
        """A fault of the mail itself: no server saw it."""
        return self.of(one, self._decision(one, NotReached(fault.text, Phase.CONNECT), fault))

    def undecided(self, one: ClaimedDelivery, *, begun: bool) -> Completion:
        """Without the domain's word: what may have left is unknown and waits for a human, the rest is tried again."""
        return Completion(
            self.fenced(one),
            DeliveryState.UNKNOWN if begun else DeliveryState.QUEUED,
            due_us=None if begun else self._by.now_us() + UNDECIDED_US,
            spends=True,
            account=self._account,
            cause="undecided",
            reason="A fault of ours; the log of the worker has it.",
        )

    def unwanted(self, rest: Sequence[ClaimedDelivery]) -> list[Completion]:
        """The host has changed its mind."""
        return [self.of(one, decide_unwanted()) for one in rest]

    def not_started(self, begun: Sequence[ClaimedDelivery], why: str) -> list[Completion]:
        """They were begun, but no byte of the body left: back they go, no attempt spent."""
        decision = Decision(DeliveryState.QUEUED, self._by.now_us(), False, "not-started", f"Not started: {why}.")
        return [self.of(one, decision, NotReached(why, Phase.DATA)) for one in begun]

    def of(self, one: ClaimedDelivery, decision: Decision, outcome: Outcome | None = None) -> Completion:
        """A decision, with its event and suppression. No ``outcome``: no server was asked."""
        now_us = self._by.now_us()
        account = self._account if outcome is not None else ""
        reply, remote_id = words_of(outcome)
        return Completion(
            claim=self.fenced(one),
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
            began_us=self.began_us,
            ended_us=now_us,
            delay_told=decision.tell == "delayed",
            suppress=self._suppression(one, decision, now_us, reply),
            events=events_of(self._mail, one, decision, now_us=now_us, account=account, reply=reply, remote_id=remote_id),
        )

    def _decision(self, one: ClaimedDelivery, outcome: Outcome, fault: Fault | None) -> Decision:
        by = self._by
        return decide(self._standing(one), outcome, fault, by.policy, now_us=by.now_us(), jitter=by.jitter())

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
            lane=self._by.lanes.of(self._mail.lane),
            lost_alone=one.lost_alone,
        )
