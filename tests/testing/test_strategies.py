"""What the strategies make is what the library takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime import MimeRenderer
from ticketmail.domain.address import Address
from ticketmail.domain.body import decode_body, encode_body
from ticketmail.domain.checking import check
from ticketmail.domain.message import Message
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.deciding import Policy, Standing, decide
from ticketmail.domain.outbound.delivery import LEGAL, DeliveryState
from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.lanes import SHIPPED
from ticketmail.domain.outbound.outcome import Outcome, Taken
from ticketmail.domain.submission import Submission
from ticketmail.testing.strategies import addresses, messages, outcomes, submissions


@given(addresses())
def test_an_address_is_read_back_from_its_spelling(address: Address) -> None:
    assert Address.model_validate(address.addr_spec).key == address.key


@given(submissions())
def test_submissions_pass_the_check(submission: Submission) -> None:
    check(submission, lanes=SHIPPED, max_size_bytes=10_000_000, now_us=0)


@given(messages())
def test_a_body_survives_the_spool(message: Message) -> None:
    assert decode_body(encode_body(message)) == message


@given(messages())
def test_rendering_is_the_same_each_time(message: Message) -> None:
    renderer = MimeRenderer()

    first = renderer.render(message, headers=(), contents={}, seed="s")

    assert renderer.render(message, headers=(), contents={}, seed="s") == first


@given(outcomes(), st.sampled_from(sorted(SHIPPED)), st.integers(0, 50), st.floats(0, 0.999))
def test_every_outcome_leads_to_a_legal_state(outcome: Outcome, lane: str, attempts: int, jitter: float) -> None:
    """From SENDING, where a body was on its way, or from CLAIMED, where none was."""
    standing = Standing(attempts, 0, 0, 10**15, False, SHIPPED[lane])
    fault = None if isinstance(outcome, Taken) else classify(outcome)

    decision = decide(standing, outcome, fault, Policy(), now_us=1_000, jitter=jitter)

    assert decision.state in LEGAL[DeliveryState.SENDING] | LEGAL[DeliveryState.CLAIMED]
    assert decision.suppress is False or (fault is not None and fault.scope is FaultScope.RECIPIENT)
    if fault is not None and fault.advice is Advice.WAIT:
        assert not decision.spends
