"""From outcome and fault to what becomes of a delivery. Pure: time and chance come in as arguments.

There is no maximum of attempts: the count only indexes the schedule. Deadlines end a mail that did not fail for good. Limits,
quotas, breakers and pauses never spend an attempt (``Advice.WAIT``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from ticketmail.domain.outbound.causes import Cause, cause_of
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Advice, Fault
from ticketmail.domain.outbound.lanes import Lane
from ticketmail.domain.outbound.outcome import Outcome, Taken
from ticketmail.domain.outbound.retry import Schedule, schedule_for
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.units import format_duration

Tell = Literal["sent", "delayed", "failed", "dead", "expired", "unknown", "suppressed", "cancelled", ""]

#: A wait of this length is told to the ticket at once (seconds).
DELAY_TOLD_S: Final = 3600.0
#: The last try is made this long before the deadline (seconds).
LAST_TRY_S: Final = 60.0
#: A server's own word on when to come back is kept, plus up to this part, so that not all come at once.
_ASKED_JITTER: Final = 0.1

_FAILED, _DEAD, _EXPIRED = DeliveryState.FAILED, DeliveryState.DEAD, DeliveryState.EXPIRED
_QUEUED, _UNKNOWN, _SENT = DeliveryState.QUEUED, DeliveryState.UNKNOWN, DeliveryState.SENT


@dataclass(frozen=True, slots=True)
class Standing:
    """A delivery before the decision. ``attempts``: spent ones, without the present. ``unknowns``: how often it was UNKNOWN
    before the present outcome (in :func:`decide_unknown`: with it). Times are UTC microseconds."""

    attempts: int
    unknowns: int
    accepted_us: int
    deadline_us: int
    delay_told: bool
    lane: Lane
    lost_alone: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What settings say. ``schedules`` by cause or class of cause, over the shipped ones. ``evidence_after_s``: when evidence is
    looked for, seconds after a mail became UNKNOWN. ``second_unknown``: what a second one leads to; ``hold``: a human."""

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    evidence_after_s: tuple[float, ...] = (60.0, 300.0, 900.0)
    second_unknown: Literal["hold", "resend", "dead"] = "hold"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of it. ``due_us`` is set for QUEUED and UNKNOWN (None: waits for a human). ``tell`` names the mail event to
    write. ``suppress``: the address should not be written to again. ``alarm``: administrators should hear of it at once."""

    state: DeliveryState
    due_us: int | None
    spends: bool
    cause: str
    reason: str
    suppress: bool = False
    tell: Tell = ""
    alarm: bool = False


def decide(standing: Standing, outcome: Outcome, fault: Fault | None, policy: Policy, *, now_us: int, jitter: float) -> Decision:
    """What becomes of a delivery after an attempt. ``jitter`` is a number in [0, 1). ``fault`` None is classified here."""
    if isinstance(outcome, Taken):
        return Decision(_SENT, None, True, "", "The mail server has taken the mail.", tell="sent")
    fault = fault or classify(outcome)
    if fault.advice is Advice.UNKNOWN:
        return _unknown(standing, fault, policy, now_us)
    if fault.advice is Advice.FAIL:
        reason = _reason(fault)
        return Decision(_FAILED, None, True, fault.cause, reason, fault.suppress, "failed", fault.alarm)
    if fault.advice is Advice.DEAD:
        return Decision(_DEAD, None, True, fault.cause, _reason(fault), tell="dead", alarm=fault.alarm)
    if fault.advice is Advice.WAIT:
        return _wait(standing, fault, now_us)
    return _retry(standing, fault, policy, now_us, jitter)


def decide_unknown(
    standing: Standing,
    verdict: Literal["sent", "not-sent", "no-evidence"],
    checks: int,
    policy: Policy,
    *,
    now_us: int,
) -> Decision:
    """What becomes of an UNKNOWN delivery after a look for evidence; ``checks`` looks were taken before this one."""
    if verdict == "sent":
        return Decision(_SENT, None, False, "", "Evidence was found that the mail server had taken the mail.", tell="sent")
    if verdict == "not-sent":
        return _resend(standing, now_us, "Evidence was found that the mail had not been taken; it is sent again.")
    times = policy.evidence_after_s
    if checks + 1 < len(times):
        due_us = now_us + max(0, int((times[checks + 1] - times[max(checks, 0)]) * 1e6))
        reason = "No evidence yet whether the mail was taken; looking again."
        return Decision(_UNKNOWN, due_us, False, "unknown", reason)
    return _without_evidence(standing, policy, now_us)


def decide_unwanted() -> Decision:
    """The host has changed its mind."""
    return Decision(DeliveryState.CANCELLED, None, False, "cancelled", "The host does not want it any more.", tell="cancelled")


def decide_suppressed(suppression: Suppression) -> Decision:
    """The address is suppressed: nothing is sent."""
    reason = f"Not sent: the address is suppressed ({cause_of(suppression.cause).sentence} {suppression.evidence}".rstrip() + ")."
    return Decision(DeliveryState.SUPPRESSED, None, False, "suppressed", reason, tell="suppressed")


def decide_expired(standing: Standing, *, last_cause: str = "") -> Decision:
    """The deadline has passed."""
    why = f" The last obstacle: {cause_of(last_cause).sentence}" if last_cause and last_cause != "expired" else ""
    return _ended(standing, f"The deadline passed before the mail could be sent.{why}")


def _wait(standing: Standing, fault: Fault, now_us: int) -> Decision:
    """The account is held, so the mail stays due: as soon as the hold ends, or on another account, it goes."""
    if now_us >= standing.deadline_us:
        return decide_expired(standing, last_cause=fault.cause)
    return Decision(_QUEUED, now_us, False, fault.cause, f"{cause_of(fault.cause).sentence} The mail waits.", alarm=fault.alarm)


def _retry(standing: Standing, fault: Fault, policy: Policy, now_us: int, jitter: float) -> Decision:
    cause = cause_of(fault.cause)
    if _gives_up(standing, cause, now_us):
        tell: Tell = "failed" if cause.then is _FAILED else "dead"
        return Decision(cause.then, None, True, fault.cause, _reason(fault), tell=tell, alarm=fault.alarm)
    delay_s = _delay_s(standing, fault, cause, policy, jitter)
    due_us = _before_deadline(now_us + int(delay_s * 1e6), now_us, standing.deadline_us)
    if due_us is None:
        return decide_expired(standing, last_cause=fault.cause)
    wait_s = (due_us - now_us) / 1e6
    again = f"Trying again in {format_duration(wait_s)}." if wait_s >= 1 else "Trying again at once."
    tell = "delayed" if wait_s >= DELAY_TOLD_S and not standing.delay_told else ""
    return Decision(_QUEUED, due_us, cause.spends, fault.cause, f"{_reason(fault)} {again}", tell=tell, alarm=fault.alarm)


def _gives_up(standing: Standing, cause: Cause, now_us: int) -> bool:
    if cause.tries is not None and standing.attempts + 1 >= cause.tries:
        return True
    return cause.patience_s is not None and standing.attempts > 0 and now_us - standing.accepted_us >= cause.patience_s * 1e6


def _delay_s(standing: Standing, fault: Fault, cause: Cause, policy: Policy, jitter: float) -> float:
    if fault.retry_after_s is not None:
        return fault.retry_after_s * (1 + _ASKED_JITTER * jitter)
    return schedule_for(policy.schedules, cause.code, cause.retry).delay_s(standing.attempts + 1, jitter)


def _before_deadline(due_us: int, now_us: int, deadline_us: int) -> int | None:
    """``due_us``, or if that is too late one last moment before the deadline, or None: there is none left."""
    if due_us < deadline_us:
        return due_us
    last_us = deadline_us - int(LAST_TRY_S * 1e6)
    return last_us if last_us > now_us else None


def _unknown(standing: Standing, fault: Fault, policy: Policy, now_us: int) -> Decision:
    times = policy.evidence_after_s
    due_us = now_us + int(times[0] * 1e6) if times else now_us
    alarm = standing.unknowns > 0
    reason = f"{cause_of(fault.cause).sentence} Looking for evidence before anything else happens."
    return Decision(_UNKNOWN, due_us, True, fault.cause, reason, tell="unknown", alarm=alarm)


def _without_evidence(standing: Standing, policy: Policy, now_us: int) -> Decision:
    policy_of_lane = standing.lane.unknown
    if policy_of_lane == "never":
        reason = f"It may have arrived, and mail of lane {standing.lane.name} is never sent twice. A human may replay it."
        return Decision(_DEAD, None, False, "unknown", reason, tell="dead")
    again = standing.unknowns > 1
    if policy_of_lane == "hold" or (again and policy.second_unknown == "hold"):
        twice = " twice" if again else ""
        reason = f"It may have arrived: no final answer was read{twice}, and there is no evidence. A human decides (settle)."
        return Decision(_UNKNOWN, None, False, "unknown", reason, alarm=True)
    if again and policy.second_unknown == "dead":
        reason = "It may have arrived: twice no final answer was read, and there is no evidence."
        return Decision(_DEAD, None, False, "unknown", reason, tell="dead", alarm=True)
    return _resend(standing, now_us, "No evidence was found; it is sent once more with the same Message-ID.")


def _resend(standing: Standing, now_us: int, reason: str) -> Decision:
    if now_us >= standing.deadline_us:
        return _ended(standing, "The deadline passed while it was unknown whether the mail had arrived; it may have.")
    return Decision(_QUEUED, now_us, False, "unknown", reason)


def _ended(standing: Standing, reason: str) -> Decision:
    state = standing.lane.ends_as
    return Decision(state, None, False, "expired", reason, tell="expired" if state is _EXPIRED else "dead")


def _reason(fault: Fault) -> str:
    sentence = cause_of(fault.cause).sentence
    return f"{sentence} The server said: {fault.text[:300]}" if fault.text else sentence
