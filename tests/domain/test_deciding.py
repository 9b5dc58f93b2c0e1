"""What becomes of a delivery: the state machine's decisions, as far as they need no I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.deciding import (
    Decision,
    Policy,
    Standing,
    decide,
    decide_expired,
    decide_suppressed,
    decide_unknown,
)
from ticketmail.domain.outbound.delivery import FINAL, LEGAL, DeliveryState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.lanes import SHIPPED, Lane
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.retry import Schedule
from ticketmail.domain.outbound.suppression import Suppression

S = DeliveryState
SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
POLICY = Policy()
Verdict = Literal["sent", "not-sent", "no-evidence"]
JITTERS = st.floats(0, 1, exclude_max=True)
HOLDING = Lane("held", 1, 3600.0, unknown="hold")
LANES = st.sampled_from([*SHIPPED.values(), HOLDING])


def standing(
    lane: Lane = SHIPPED["reply"], *, attempts: int = 0, unknowns: int = 0, left_s: float = 86_400, told: bool = False
) -> Standing:
    deadline_us = NOW + int(left_s * SECOND)
    return Standing(attempts, unknowns, deadline_us - int(lane.deadline_s * SECOND), deadline_us, told, lane)


def refused(code: int, text: str = "", enhanced: str = "", phase: Phase = Phase.RCPT, after_s: float | None = None) -> Refused:
    return Refused(Reply(code, text, enhanced), phase, after_s)


def after(outcome: Outcome, one: Standing | None = None, *, policy: Policy = POLICY, jitter: float = 0.5) -> Decision:
    return decide(one or standing(), outcome, None, policy, now_us=NOW, jitter=jitter)


STANDINGS = st.builds(
    standing,
    LANES,
    attempts=st.integers(0, 200),
    unknowns=st.integers(0, 5),
    left_s=st.floats(-3600, 500_000),
    told=st.booleans(),
)
REFUSALS = st.builds(
    refused,
    st.integers(200, 999),
    st.sampled_from(["", "spam", "too many connections", "mailbox full", "user unknown", "daily limit exceeded", "x"]),
    st.sampled_from(["", "4.2.1", "4.7.1", "5.1.1", "5.7.1", "5.4.5", "5.7.26"]),
    st.sampled_from(Phase),
    st.none() | st.floats(0, 1e6),
)
OUTCOMES = (
    st.just(Taken("id"))
    | REFUSALS
    | st.builds(NotReached, st.just("cut"), st.sampled_from(Phase), st.booleans())
    | st.builds(Unclear, st.just("cut"))
)
FAULTS = st.builds(
    Fault,
    st.sampled_from([code for code in CAUSES if code != "expired"]),  # a decision's own word: no outcome is classified so
    st.sampled_from(FaultScope),
    st.sampled_from(Advice),
    retry_after_s=st.none() | st.floats(0, 86_400),
    suppress=st.booleans(),
    alarm=st.booleans(),
)


@given(STANDINGS, OUTCOMES, JITTERS)
def test_every_outcome_leads_to_a_legal_state_with_a_sentence_that_says_why(
    one: Standing, outcome: Outcome, jitter: float
) -> None:
    made = after(outcome, one, jitter=jitter)

    assert made.state in LEGAL[S.SENDING]
    assert made.reason.endswith((".", ")")) or ":" in made.reason
    assert made.state is S.SENT or made.cause in CAUSES
    assert (made.due_us is not None) == (made.state in (S.QUEUED, S.UNKNOWN))


@given(STANDINGS, FAULTS, JITTERS)
def test_only_a_deadline_a_refusal_or_an_answer_ends_a_mail(one: Standing, fault: Fault, jitter: float) -> None:
    made = decide(one, NotReached("x"), fault, POLICY, now_us=NOW, jitter=jitter)

    if made.state in FINAL:
        over = made.cause == "expired"
        gave_up = CAUSES[fault.cause].tries is not None or CAUSES[fault.cause].patience_s is not None
        assert fault.advice in (Advice.FAIL, Advice.DEAD) or over or gave_up
        assert not over or one.deadline_us - NOW <= (86_400 * 1.1 + 60) * SECOND, "nothing is given up a day early"


@given(STANDINGS, FAULTS, JITTERS)
def test_a_wait_never_spends_an_attempt_and_never_dead_letters_before_the_deadline(
    one: Standing, fault: Fault, jitter: float
) -> None:
    fault = replace(fault, advice=Advice.WAIT)
    made = decide(one, NotReached("x"), fault, POLICY, now_us=NOW, jitter=jitter)

    assert not made.spends
    if one.deadline_us > NOW:
        assert (made.state, made.due_us) == (S.QUEUED, NOW)


@given(STANDINGS, OUTCOMES, JITTERS)
def test_only_a_recipients_fault_suppresses_and_only_when_it_failed(one: Standing, outcome: Outcome, jitter: float) -> None:
    made = after(outcome, one, jitter=jitter)

    assert not made.suppress or made.state is S.FAILED


@given(STANDINGS, OUTCOMES, JITTERS)
def test_a_mail_that_is_queued_again_is_due_before_its_deadline(one: Standing, outcome: Outcome, jitter: float) -> None:
    made = after(outcome, one, jitter=jitter)

    if made.state is S.QUEUED:
        assert made.due_us is not None
        assert NOW <= made.due_us < max(one.deadline_us, NOW + 1)


@given(
    LANES,
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([refused(450), refused(451, phase=Phase.DOT), refused(452, enhanced="4.2.2")]),
)
def test_however_long_it_is_retried_it_ends_at_its_deadline_after_a_last_try_shortly_before(
    lane: Lane, jitter: float, outcome: Refused
) -> None:
    now_us, attempts, deadline_us = NOW, 0, NOW + int(lane.deadline_s * SECOND)
    last_try_us = now_us
    for _ in range(5000):
        one = Standing(attempts, 0, NOW, deadline_us, False, lane)
        made = decide(one, outcome, None, POLICY, now_us=now_us, jitter=jitter)
        if made.state is not S.QUEUED:
            break
        assert made.due_us is not None
        assert made.due_us > now_us
        attempts += made.spends
        last_try_us = now_us = made.due_us

    assert (made.state, made.cause) == (lane.ends_as, "expired")
    assert deadline_us - last_try_us <= 61 * SECOND


def test_a_taken_mail_is_sent() -> None:
    made = after(Taken("id", Reply(250, "ok")))

    assert (made.state, made.spends, made.tell) == (S.SENT, True, "sent")


def test_an_unknown_recipient_fails_for_good_and_the_ticket_is_told() -> None:
    made = after(refused(550, "User unknown", "5.1.1"))

    assert (made.state, made.suppress, made.tell) == (S.FAILED, True, "failed")
    assert "does not exist" in made.reason
    assert "User unknown" in made.reason


def test_an_unexplained_refusal_waits_for_a_human_and_suppresses_nobody() -> None:
    made = after(refused(599, "new"))

    assert (made.state, made.suppress, made.tell) == (S.DEAD, False, "dead")


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 30), (1, 60), (2, 120), (3, 300), (6, 2400), (7, 3600), (99, 3600)])
def test_a_temporary_refusal_follows_the_schedule(attempts: int, seconds: float) -> None:
    made = after(refused(451), standing(attempts=attempts))

    assert (made.state, made.spends) == (S.QUEUED, True)
    assert made.due_us == NOW + seconds * SECOND


def test_settings_change_the_schedule_of_a_class_or_a_cause() -> None:
    policy = Policy({"transient": Schedule.parse("7s"), "greylisted": Schedule.parse("9s")})

    assert after(refused(451), policy=policy).due_us == NOW + 7 * SECOND
    assert after(refused(451, "greylisted"), policy=policy).due_us == NOW + 9 * SECOND


def test_a_servers_own_word_goes_before_the_schedule() -> None:
    made = after(refused(450, "Greylisted, try again in 300 seconds"), jitter=0.0)

    assert made.due_us == NOW + 300 * SECOND


def test_a_busy_mailbox_is_tried_every_quarter_of_an_hour_and_spends_nothing() -> None:
    made = after(refused(450, "The user you are trying to contact is receiving mail too quickly", "4.2.1"))

    assert (made.state, made.spends, made.due_us) == (S.QUEUED, False, NOW + 900 * SECOND)


def test_recipients_that_are_too_many_go_at_once_and_then_ever_later() -> None:
    first, second = (after(refused(452, "Too many recipients"), standing(attempts=count)) for count in (0, 1))

    assert (first.due_us, first.state) == (NOW, S.QUEUED)
    assert second.due_us == NOW + 30 * SECOND


def test_a_server_that_does_not_understand_us_is_tried_once_more() -> None:
    assert after(refused(503), standing(attempts=0)).state is S.QUEUED
    again = after(refused(503), standing(attempts=1))
    assert (again.state, again.alarm) == (S.DEAD, True)


def test_a_domain_that_stays_unknown_for_an_hour_fails() -> None:
    lane = SHIPPED["reply"]
    reply = refused(450, "Recipient address rejected: Domain not found", "4.1.2")
    young = Standing(3, 0, NOW - 3599 * SECOND, NOW + 86_400 * SECOND, False, lane)
    old = Standing(3, 0, NOW - 3600 * SECOND, NOW + 86_400 * SECOND, False, lane)

    assert after(reply, young).state is S.QUEUED
    assert (after(reply, old).state, after(reply, old).suppress) == (S.FAILED, False)


def test_a_wait_of_an_hour_is_told_at_once_and_only_once() -> None:
    reply = refused(450, "try again in 2 hours")

    assert after(reply).tell == "delayed"
    assert after(reply, standing(told=True)).tell == ""
    assert after(refused(450, "try again in 2 minutes")).tell == ""


@pytest.mark.parametrize(
    ("lane", "state", "tell"),
    [
        ("reply", S.DEAD, "dead"),
        ("notice", S.DEAD, "dead"),
        ("code", S.DEAD, "dead"),
        ("digest", S.EXPIRED, "expired"),
        ("bulk", S.EXPIRED, "expired"),
    ],
)
def test_a_deadline_ends_mail_as_its_lane_says(lane: str, state: DeliveryState, tell: str) -> None:
    made = decide_expired(standing(SHIPPED[lane]), last_cause="quota")

    assert (made.state, made.tell, made.cause, made.spends) == (state, tell, "expired", False)
    assert "quota" not in made.reason
    assert "used up" in made.reason


def test_a_suppressed_address_says_why() -> None:
    made = decide_suppressed(Suppression("ann@example.net", "unknown-recipient", "550 5.1.1 User unknown", NOW))

    assert (made.state, made.tell, made.spends) == (S.SUPPRESSED, "suppressed", False)
    assert "does not exist" in made.reason
    assert "550 5.1.1" in made.reason


# --- UNKNOWN --------------------------------------------------------------------------------------------------------


@given(LANES, st.integers(0, 5))
def test_an_unclear_end_is_unknown_in_every_lane_and_evidence_is_looked_for_first(lane: Lane, unknowns: int) -> None:
    made = after(Unclear("cut after the dot"), standing(lane, unknowns=unknowns))

    assert (made.state, made.spends, made.tell) == (S.UNKNOWN, True, "unknown")
    assert made.due_us == NOW + 60 * SECOND
    assert made.alarm == (unknowns > 0)


@given(
    STANDINGS,
    st.sampled_from(["sent", "not-sent", "no-evidence"]),
    st.integers(0, 10),
    st.sampled_from(["hold", "resend", "dead"]),
)
def test_a_look_for_evidence_leads_to_a_legal_state(one: Standing, verdict: Verdict, checks: int, second: Any) -> None:
    made = decide_unknown(one, verdict, checks, Policy(second_unknown=second), now_us=NOW)

    assert made.state in LEGAL[S.UNKNOWN] | {S.UNKNOWN}
    assert not made.spends


@given(STANDINGS, st.integers(0, 10))
def test_evidence_that_it_was_taken_ends_it_as_sent_in_every_lane(one: Standing, checks: int) -> None:
    assert decide_unknown(one, "sent", checks, POLICY, now_us=NOW).state is S.SENT


@given(STANDINGS, st.integers(0, 10))
def test_without_evidence_it_is_sent_at_most_once_more(one: Standing, checks: int) -> None:
    made = decide_unknown(one, "no-evidence", checks, POLICY, now_us=NOW)

    if made.state is S.QUEUED:
        assert one.unknowns <= 1
        assert one.lane.unknown == "resend"
        assert checks >= 2
        assert one.deadline_us > NOW


def test_evidence_is_looked_for_after_1_5_and_15_minutes() -> None:
    dues = [decide_unknown(standing(unknowns=1), "no-evidence", checks, POLICY, now_us=NOW).due_us for checks in (0, 1)]

    assert dues == [NOW + 240 * SECOND, NOW + 600 * SECOND]


def test_after_the_last_look_it_is_sent_once_more() -> None:
    made = decide_unknown(standing(unknowns=1), "no-evidence", 2, POLICY, now_us=NOW)

    assert (made.state, made.due_us) == (S.QUEUED, NOW)
    assert "same Message-ID" in made.reason


def test_a_second_unknown_waits_for_a_human_with_an_alarm() -> None:
    made = decide_unknown(standing(unknowns=2), "no-evidence", 2, POLICY, now_us=NOW)

    assert (made.state, made.due_us, made.alarm) == (S.UNKNOWN, None, True)


def test_a_login_code_is_never_sent_again_without_proof() -> None:
    code = standing(SHIPPED["code"], unknowns=1)

    made = decide_unknown(code, "no-evidence", 2, POLICY, now_us=NOW)
    assert (made.state, made.tell) == (S.DEAD, "dead")
    assert decide_unknown(code, "not-sent", 0, POLICY, now_us=NOW).state is S.QUEUED


def test_a_lane_that_holds_waits_for_a_human_at_the_first_unknown() -> None:
    made = decide_unknown(standing(HOLDING, unknowns=1), "no-evidence", 2, POLICY, now_us=NOW)

    assert (made.state, made.due_us) == (S.UNKNOWN, None)


@pytest.mark.parametrize("verdict", ["not-sent", "no-evidence"])
def test_what_nobody_wants_any_more_is_not_sent_again(verdict: Verdict) -> None:
    made = decide_unknown(standing(unknowns=1, left_s=0), verdict, 2, POLICY, now_us=NOW)

    assert (made.state, made.cause) == (S.DEAD, "expired")


def test_without_looks_for_evidence_the_lane_decides_at_once() -> None:
    policy = Policy(evidence_after_s=())

    assert after(Unclear("cut"), policy=policy).due_us == NOW
    assert decide_unknown(standing(unknowns=1), "no-evidence", 0, policy, now_us=NOW).state is S.QUEUED


def test_a_fault_given_is_not_classified_again() -> None:
    fault = Fault("policy", FaultScope.MESSAGE, Advice.DEAD)

    assert decide(standing(), refused(450), fault, POLICY, now_us=NOW, jitter=0).cause == "policy"
    assert classify(refused(450)).cause == "transient"
