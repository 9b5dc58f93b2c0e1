"""A host without a spool: what it hands over is a job on the broker, and its receipt says so."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from injector import InstanceProvider

from app.roads.taking import orders, taken
from ticketmail import (
    BrokerFull,
    BrokerRefused,
    BrokerUnreachable,
    InvalidSubmission,
    JobTooLarge,
    Message,
    NaiveTime,
    NoSpool,
    Receipt,
    Submission,
    SubmitInDoubt,
    TicketMail,
    TooLarge,
    attach,
)
from ticketmail.app.usecases.compile import submission_id
from ticketmail.app.wiring.brokering import broker_of
from ticketmail.domain.job import cancel_from, suppress_from
from ticketmail.domain.ports.queueing import SUBMIT, Broker, BrokerCapabilities, Job

NOTE = Message(sender="Help <help@example.com>", to="ann@example.net", subject="Your printer", text="On its way.")
SECRET = "a secret of many bytes"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"broker": {"url": f"memory://{uuid.uuid4()}"}, "max_size": "1MiB"}


@pytest.fixture
def mail(settings: dict[str, Any]) -> Iterator[TicketMail]:
    with TicketMail(settings=settings) as one:
        yield one


@pytest.fixture
def broker(mail: TicketMail) -> Broker:
    return broker_of(mail.settings)


class Failing:
    """A broker that fails each publish, after having kept it or not."""

    capabilities = BrokerCapabilities(
        at_least_once=True, survives_restart=True, max_job_bytes=None, redelivers_at_once=True, bounded=True
    )

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.kept: list[Job] = []

    def publish(self, queue: str, jobs: Sequence[Job]) -> None:
        self.kept += jobs
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error

    def close(self) -> None:
        """Nothing is open."""


def host_of(broker: Failing) -> TicketMail:
    return TicketMail(
        broker="memory://",
        overrides=[lambda binder: binder.bind(Broker, to=InstanceProvider(broker))],  # type: ignore[list-item]
    )


def in_doubt(error: BrokerUnreachable | BrokerFull) -> Exception:
    error.in_doubt = True
    return error


# --- what is handed over ----------------------------------------------------------------------------------------------------


def test_a_mail_becomes_a_job_and_the_receipt_says_where_it_is(mail: TicketMail, broker: Broker) -> None:
    receipt = mail.submit(NOTE, ticket="4711", lane="notice", key="note-991", tenant="acme")

    (order,) = orders(broker, 1)
    assert order.submission == Submission(message=NOTE, ticket="4711", lane="notice", key="note-991", tenant="acme")
    assert receipt.submission_id == order.submission_id == submission_id("acme", "note-991")
    assert (receipt.durable, receipt.eta_us, receipt.message_id) == ("broker", None, None)
    assert "event" in receipt.eta_unknown


def test_a_host_with_the_secret_knows_the_message_id(settings: dict[str, Any]) -> None:
    with TicketMail(settings=settings, secret=SECRET) as mail, TicketMail(spool="memory://", secret=SECRET) as service:
        receipt = mail.submit(NOTE, key="k")

        (order,) = orders(broker_of(mail.settings), 1)
        assert receipt.message_id == order.message_id == service.submit(NOTE, key="k").message_id


def test_the_hosts_own_message_id_wins(mail: TicketMail) -> None:
    assert mail.submit(NOTE.model_copy(update={"message_id": "note-1@example.com"})).message_id == "<note-1@example.com>"


def test_single_mails_have_the_ids_that_the_service_gives_them(mail: TicketMail) -> None:
    both = NOTE.model_copy(update={"to": Message(sender="a@example.com", to=("b@example.net", "c@example.net")).to})
    with TicketMail(spool="memory://") as service:
        expected = service.submit(both, key="k", per_recipient=True)
        found = mail.submit(both, key="k", per_recipient=True)

    assert (found.submission_id, found.parts) == (expected.submission_id, expected.parts)


def test_ready_mime_travels_as_it_is(mail: TicketMail, broker: Broker) -> None:
    raw = b"From: help@example.com\r\nTo: ann@example.net\r\nSubject: x\r\n\r\nhello\r\n"
    mail.submit(Message(raw=raw))

    (order,) = orders(broker, 1)
    assert order.submission.message.raw == raw


def test_jobs_are_signed_where_a_secret_is_set(settings: dict[str, Any]) -> None:
    settings["broker"]["secret"] = SECRET
    with TicketMail(settings=settings) as mail:
        mail.submit(NOTE)

        (parcel,) = taken(broker_of(mail.settings), 1, secrets=[SECRET.encode()])
    assert parcel.kind == "submit"


async def test_from_asyncio(mail: TicketMail) -> None:
    receipts = await asyncio.gather(*(mail.asubmit(NOTE, key=f"k{n}") for n in range(20)))

    found = await asyncio.to_thread(orders, broker_of(mail.settings), 20)
    assert {order.submission_id for order in found} == {receipt.submission_id for receipt in receipts}


def test_many_have_a_result_each_in_order(mail: TicketMail, broker: Broker) -> None:
    bad = Message(sender="help@example.com", subject="nobody", text="x")
    results = mail.submit_many([Submission(message=NOTE, key="a"), bad, Submission(message=NOTE, key="b")])

    assert [isinstance(one, Receipt) for one in results] == [True, False, True]
    assert [order.submission.key for order in orders(broker, 2)] == ["a", "b"]


def test_cancels_and_suppressions_take_the_same_road(mail: TicketMail, broker: Broker) -> None:
    assert mail.cancel("ticket:4711", reason="closed", actor="ann") is None
    mail.suppress("Ann@Example.NET", reason="asked for it", until=datetime(2030, 1, 1, tzinfo=UTC))
    mail.unsuppress("ann@example.net", reason="asked again")

    cancel, suppress, lift = taken(broker, 3)
    assert (str(cancel_from(cancel).scope), cancel_from(cancel).actor) == ("ticket:4711", "ann")
    assert (suppress_from(suppress).address, suppress_from(suppress).until_us) == ("ann@example.net", 1893456000_000000)
    assert suppress_from(lift).lift


def test_a_suppression_until_a_naive_time_is_refused(mail: TicketMail) -> None:
    with pytest.raises(NaiveTime, match="until"):
        mail.suppress("ann@example.net", reason="x", until=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


def test_with_a_spool_a_suppression_is_in_force_at_once() -> None:
    with TicketMail(spool="memory://") as mail:
        mail.suppress("ann@example.net", reason="asked for it", tenant="acme")
        assert [(one.address, one.tenant) for one in mail.reading.suppressions()] == [("ann@example.net", "acme")]
        mail.unsuppress("ann@example.net", reason="again", tenant="acme")
        assert list(mail.reading.suppressions()) == []


# --- what is refused --------------------------------------------------------------------------------------------------------


def test_what_cannot_become_a_mail_is_refused_before_the_broker_is_asked(mail: TicketMail, broker: Broker) -> None:
    with pytest.raises(InvalidSubmission, match="lane"):
        mail.submit(NOTE, lane="express")
    with pytest.raises(TooLarge):
        mail.submit(NOTE.model_copy(update={"attachments": (attach(b"x" * 1_000_000, filename="x"),)}))
    assert broker.depth(SUBMIT) == 0


def test_what_is_too_large_for_the_broker_is_told_with_its_limit_and_the_next_step(settings: dict[str, Any]) -> None:
    broker = Failing()
    broker.capabilities = BrokerCapabilities(
        at_least_once=True, survives_restart=True, max_job_bytes=10_000, redelivers_at_once=True, bounded=True
    )
    with host_of(broker) as mail, pytest.raises(JobTooLarge, match=r"10000.*\[broker\] blobs"):
        mail.submit(NOTE.model_copy(update={"text": "x" * 10_000}))
    assert broker.kept == []


def test_a_broker_joins_no_transaction_and_says_what_would(mail: TicketMail) -> None:
    with pytest.raises(InvalidSubmission, match="outbox"):
        mail.submit(NOTE, connection=object())


@pytest.mark.parametrize("ask", ["reading", "operating", "administering", "spool"])
def test_questions_to_the_spool_are_answered_with_where_to_ask(mail: TicketMail, ask: str) -> None:
    with pytest.raises(NoSpool, match="ticketmail status"):
        getattr(mail, ask)


def test_status_and_why_are_asked_where_the_spool_is(mail: TicketMail) -> None:
    with pytest.raises(NoSpool):
        mail.status()
    with pytest.raises(NoSpool):
        mail.why("ticket:1")


# --- what the broker does ---------------------------------------------------------------------------------------------------


def test_a_clear_refusal_is_raised_as_it_is() -> None:
    with host_of(Failing(BrokerRefused("no such queue"))) as mail, pytest.raises(BrokerRefused, match="no such queue"):
        mail.submit(NOTE)


def test_a_lost_confirm_is_a_doubt_and_its_retry_is_the_same_mail() -> None:
    broker = Failing(in_doubt(BrokerUnreachable("cut")))
    with host_of(broker) as mail:
        with pytest.raises(SubmitInDoubt, match=r"cut.*retry") as caught:
            mail.submit(NOTE)
        receipt = caught.value.retry()

    assert isinstance(caught.value.__cause__, BrokerUnreachable)
    assert broker.kept[0] == broker.kept[1]
    assert receipt.submission_id.hex == broker.kept[0].job_id


def test_many_in_doubt_are_each_in_doubt_and_the_rest_is_not_tried() -> None:
    broker = Failing(None, in_doubt(BrokerFull("no more")))
    with host_of(broker) as mail:
        results = mail.submit_many([Submission(message=NOTE, key=str(n)) for n in range(1200)])

    assert all(isinstance(one, Receipt) for one in results[:500])
    assert all(isinstance(one, SubmitInDoubt) for one in results[500:1000])
    assert all(isinstance(one, BrokerFull) for one in results[1000:])
    assert len(broker.kept) == 1000


def test_a_cancel_in_doubt_can_be_sent_again() -> None:
    broker = Failing(in_doubt(BrokerUnreachable("cut")))
    with host_of(broker) as mail:
        with pytest.raises(SubmitInDoubt) as caught:
            mail.cancel("ticket:1", reason="x")
        caught.value.retry()

    assert len(broker.kept) == 2
