"""A mail that reaches no server says nothing about its account, and spends nothing of its limits."""

from __future__ import annotations

import asyncio

from ticketmail import Attachment, Message
from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.outcome import NotReached, Phase
from ticketmail.testing.sandbox import Sandbox, memory

LETTER = {"sender": "desk@example.com", "to": "ann@example.net", "subject": "Your printer", "text": "On its way."}


class Host:
    """Asked before each mail; some tickets are closed."""

    def __init__(self, closed: str = "") -> None:
        self.closed = closed
        self.asked: list[tuple[str | None, str]] = []

    async def still_wanted(self, *, submission_id: str, ticket: str | None, lane: str) -> bool:
        self.asked.append((ticket, lane))
        if self.closed == "broken":
            raise RuntimeError("the host's database is away")
        return ticket != self.closed


async def nothing(reference: str) -> bytes:
    raise LookupError(reference)


def phase_of_breaker(tm: Sandbox) -> str:
    documents = asyncio.run(tm.mail.spool.worker_side().book.load("account"))
    return AccountState.from_json(documents["sandbox"]).breaker.phase


def test_a_mail_that_the_host_does_not_want_any_more_is_cancelled_and_told_so() -> None:
    host = Host(closed="T-1")
    with memory(wanted=host) as tm:
        gone = tm.mail.submit(Message(**LETTER), ticket="T-1", lane="bulk")
        tm.mail.submit(Message(**LETTER), ticket="T-2")
        tm.run_until_idle()

        states = {view.submission_id: view.state for view in tm.deliveries}
        assert states.pop(gone.submission_id) is DeliveryState.CANCELLED
        assert set(states.values()) == {DeliveryState.SENT}
        assert sorted(host.asked) == [("T-1", "bulk"), ("T-2", "reply")]
        assert len(tm.arrived) == 1
        assert "does not want it any more" in str(tm.mail.why(gone.submission_id))
        assert [(one.kind, one.ticket) for one in tm.events if one.kind == "cancelled"] == [("cancelled", "T-1")]


def test_a_hook_that_fails_stops_no_mail() -> None:
    with memory(wanted=Host(closed="broken")) as tm:
        tm.mail.submit(Message(**LETTER))
        tm.run_until_idle()

        assert len(tm.sent) == 1


def test_a_mail_that_is_not_wanted_leaves_the_limit_to_those_that_are() -> None:
    with memory(accounts={"desk": {"url": "null://", "limits": ["2/h"]}}, wanted=Host(closed="T-1")) as tm:
        tm.mail.submit(Message(**LETTER), ticket="T-1", lane="code")
        for _ in range(2):
            tm.mail.submit(Message(**LETTER), ticket="T-2")
        tm.run_until_idle()

        assert [view.ticket for view in tm.sent] == ["T-2", "T-2"]


def test_mails_without_their_content_do_not_prove_that_the_server_is_well() -> None:
    """After a fault of the account one mail is tried, then two, four, eight. Mails whose attachment is gone are none of them."""
    with memory(fetch=nothing) as tm:
        tm.fail_next("535 5.7.8 Authentication credentials invalid", phase="auth")
        tm.mail.submit(Message(**LETTER))
        tm.run_until_idle()
        assert phase_of_breaker(tm) == "half-open"

        for _ in range(20):
            tm.mail.submit(Message(**LETTER, attachments=[Attachment(filename="a.pdf", reference="gone")]))
        tm.run_until_idle()
        assert sum(view.state is DeliveryState.DEAD for view in tm.deliveries) == 20
        assert phase_of_breaker(tm) == "half-open"

        for _ in range(20):
            tm.mail.submit(Message(**LETTER))
        tm.run_until_idle()
        assert phase_of_breaker(tm) == "closed"


def test_a_server_that_cannot_be_reached_has_counted_nothing() -> None:
    with memory(accounts={"desk": {"url": "null://", "limits": ["2/h"]}}) as tm:
        tm.fail_next(NotReached("connection refused", Phase.CONNECT), times=3)
        for _ in range(2):
            tm.mail.submit(Message(**LETTER))
        tm.run_for(1800)

        assert len(tm.sent) == 2
