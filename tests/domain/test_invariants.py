"""The invariants of the design (section 3) that need no I/O, over whole lives of mails rather than single steps."""

from __future__ import annotations

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.deciding import Policy, Standing, decide, decide_unknown
from ticketmail.domain.outbound.delivery import FINAL, LEGAL, DeliveryState
from ticketmail.domain.outbound.faults import FaultScope
from ticketmail.domain.outbound.holds import hold_of
from ticketmail.domain.outbound.lanes import SHIPPED, Lane
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.outbound.routing import groups_of, serving
from ticketmail.domain.outbound.settling import settle_fault, settle_success

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 1_800_000_000 * SECOND
Verdict = Literal["sent", "not-sent", "no-evidence"]
LIMITS = AccountLimits.parse(["30/s", "1000/h"])

#: What an account or its server says or does while it is out of order.
OUTAGES: list[Outcome] = [
    NotReached("connection refused"),
    NotReached("timed out", Phase.BANNER),
    NotReached("cut", Phase.RCPT),
    NotReached("certificate has expired", Phase.TLS, tls=True),
    NotReached("gaierror: Name or service not known"),
    Refused(Reply(421, "Service not available"), Phase.CONNECT),
    Refused(Reply(421, "try again in 10 minutes", "4.7.0"), Phase.MAIL),
    Refused(Reply(452, "insufficient system storage", "4.3.1"), Phase.MAIL),
    Refused(Reply(450, "too much mail", "4.7.1"), Phase.RCPT),
    Refused(Reply(432, "Concurrent connections limit exceeded", "4.3.2"), Phase.MAIL),
    Refused(Reply(550, "Daily user sending quota exceeded.", "5.4.5"), Phase.DOT),
    Refused(Reply(535, "Bad credentials", "5.7.8"), Phase.AUTH),
    Refused(Reply(554, "No SMTP service here"), Phase.BANNER),
    Refused(Reply(525, "blocked", "5.7.13"), Phase.AUTH),
]
JITTERS = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from([lane for lane in SHIPPED.values() if lane.deadline_s > 8 * 3600]), st.data())
def test_an_outage_shorter_than_the_deadline_ends_no_mail_and_spends_no_attempt(lane: Lane, data: st.DataObject) -> None:
    """Invariant 5, with breaker, throttle and quota holds as the worker would meet them."""
    outage_us = data.draw(st.integers(0, 6 * HOUR), label="outage")
    state, now_us, tries = AccountState(), NOW, 0
    one = Standing(0, 0, NOW, NOW + int(lane.deadline_s * SECOND), False, lane)
    while True:
        state, grant = take(state, LIMITS, worker="w", permits=1, connections=1, now_us=now_us)
        if grant.hold is not None:
            assert grant.hold.until_us is not None
            now_us = grant.hold.until_us
            continue
        tries += 1
        over = now_us >= NOW + outage_us
        outcome = Taken() if over else data.draw(st.sampled_from(OUTAGES))
        fault = None if over else classify(outcome)
        made = decide(one, outcome, fault, Policy(), now_us=now_us, jitter=data.draw(JITTERS))
        if fault is None:
            break
        assert (made.state, made.spends, made.due_us) == (DeliveryState.QUEUED, False, now_us)
        state, _ = settle_fault(state, fault, now_us=now_us, jitter=0.9)
        now_us += SECOND // 10

    assert made.state is DeliveryState.SENT
    assert now_us <= NOW + outage_us + int(1.2 * HOUR), "and it goes within about an hour of the end"
    assert tries <= 200, "the server is not hammered meanwhile"


SMTP = st.builds(
    Refused,
    st.builds(Reply, st.integers(400, 599), st.sampled_from(["", "spam", "try later", "user unknown", "rate limit"])),
    st.sampled_from(Phase),
) | st.builds(NotReached, st.just("cut"), st.sampled_from(Phase), st.booleans())


@given(SMTP, st.sampled_from(list(SHIPPED.values())), st.integers(0, 50), JITTERS)
def test_only_an_unclear_end_makes_unknown(outcome: Outcome, lane: Lane, attempts: int, jitter: float) -> None:
    """Invariant 3: an answer, or certainty that the dot was not written, is never UNKNOWN."""
    one = Standing(attempts, 0, NOW, NOW + 24 * HOUR, False, lane)

    assert decide(one, outcome, None, Policy(), now_us=NOW, jitter=jitter).state is not DeliveryState.UNKNOWN
    assert decide(one, Unclear("cut"), None, Policy(), now_us=NOW, jitter=jitter).state is DeliveryState.UNKNOWN


@given(st.sampled_from(list(SHIPPED.values())), st.lists(st.sampled_from(["sent", "not-sent", "no-evidence"]), max_size=30))
def test_without_proof_a_mail_leaves_at_most_twice_however_often_its_end_is_unclear(lane: Lane, verdicts: list[Verdict]) -> None:
    """Invariant 4: every copy beyond the first needs a fault, and there is one more try without proof, not two."""
    unknowns, checks, now_us, blind = 0, 0, NOW, 0
    state = DeliveryState.QUEUED
    for verdict in verdicts:
        if state is DeliveryState.QUEUED:
            before = Standing(0, unknowns, NOW, NOW + 72 * HOUR, False, lane)
            made = decide(before, Unclear("cut"), None, Policy(), now_us=now_us, jitter=0.0)
            unknowns, checks = unknowns + 1, 0
        else:
            with_this = Standing(0, unknowns, NOW, NOW + 72 * HOUR, False, lane)
            made = decide_unknown(with_this, verdict, checks, Policy(), now_us=now_us)
            checks += 1
            blind += made.state is DeliveryState.QUEUED and verdict == "no-evidence"
        assert made.state in LEGAL[state] | {DeliveryState.UNKNOWN}
        state = made.state
        if state in FINAL or made.due_us is None:
            break
        now_us = max(now_us, made.due_us)

    assert blind <= (1 if lane.unknown == "resend" else 0)


@given(st.lists(st.sampled_from([*OUTAGES, Taken(), Refused(Reply(550, "", "5.1.1"), Phase.RCPT)]), max_size=40))
def test_a_recipients_fault_moves_no_mail_to_another_account(outcomes: list[Outcome]) -> None:
    """Invariant 6: only what account or gateway did decides where mail goes."""
    state, without = AccountState(), AccountState()
    for number, outcome in enumerate(outcomes):
        at_us = NOW + number * SECOND
        if isinstance(outcome, Taken):
            state, without = settle_success(state, now_us=at_us)[0], settle_success(without, now_us=at_us)[0]
            continue
        fault = classify(outcome)
        state, _ = settle_fault(state, fault, now_us=at_us, jitter=0.0)
        if fault.scope not in (FaultScope.RECIPIENT, FaultScope.MESSAGE):
            without, _ = settle_fault(without, fault, now_us=at_us, jitter=0.0)

    then_us = NOW + len(outcomes) * SECOND
    holds = [{"a": hold_of(one, LIMITS, now_us=then_us)} for one in (state, without)]
    routes = groups_of(["a", "b"])
    assert serving(routes, holds[0], {}) == serving(routes, holds[1], {})


def test_what_is_final_changes_only_by_a_human() -> None:
    """Invariant 1: SENT, CANCELLED and SUPERSEDED are for ever; the other ends can be replayed or cancelled."""
    for state in FINAL:
        assert LEGAL[state] <= {DeliveryState.QUEUED, DeliveryState.CANCELLED}
    assert set(LEGAL) == set(DeliveryState)
    assert LEGAL[DeliveryState.SENT] == frozenset()
    assert {state for state in LEGAL if DeliveryState.UNKNOWN in LEGAL[state]} == {DeliveryState.SENDING}
