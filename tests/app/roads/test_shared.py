"""Large content travels beside its job, where host and mail service share a store, and is whole again on the other side."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from app.roads.taking import orders
from ticketmail import BlobStoreError, InvalidMessage, JobTooLarge, Message, Submission, TicketMail, attach
from ticketmail.app.usecases.large import made_whole
from ticketmail.app.wiring.brokering import blobs_of, broker_of, whole_of
from ticketmail.domain.body import fingerprint
from ticketmail.domain.ports.queueing import BrokerCapabilities

LARGE = Message(
    sender="help@example.com",
    to="ann@example.net",
    text="t" * 100_000,
    html="<p>small</p>",
    attachments=(attach(b"f" * 300_000, filename="large.bin"), attach(b"s", filename="small.bin")),
)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"broker": {"url": f"memory://{uuid.uuid4()}", "blobs": f"file://{tmp_path}/blobs"}}


def test_large_content_travels_beside_its_job_and_is_the_same_mail(settings: dict[str, Any]) -> None:
    submission = Submission(message=LARGE, tenant="acme", key="k")
    with TicketMail(settings=settings) as mail:
        mail.submit(submission)
        (order,) = orders(broker_of(mail.settings), 1)
        whole = whole_of(blobs_of(mail.settings))(order)

    assert order.submission.message.text is None
    assert [one.content is None for one in order.submission.message.attachments] == [True, False, True]
    assert whole.submission.message.text == LARGE.text
    assert [one.content for one in whole.submission.message.attachments] == [one.content for one in LARGE.attachments]
    assert fingerprint(whole.submission) == fingerprint(submission)


def test_ready_mime_travels_beside_its_job_too(settings: dict[str, Any]) -> None:
    raw = b"From: help@example.com\r\nTo: ann@example.net\r\n\r\n" + b"line\r\n" * 20_000
    with TicketMail(settings=settings) as mail:
        mail.submit(Message(raw=raw))
        (order,) = orders(broker_of(mail.settings), 1)

        assert order.submission.message.raw is None
        assert whole_of(blobs_of(mail.settings))(order).submission.message.raw == raw


def test_small_mail_has_no_need_of_the_store(settings: dict[str, Any], tmp_path: Path) -> None:
    with TicketMail(settings=settings) as mail:
        mail.submit(Message(sender="help@example.com", to="ann@example.net", text="small"))
    assert not (tmp_path / "blobs").exists()


def test_many_small_files_travel_beside_a_job_that_would_be_too_large(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = BrokerCapabilities(
        at_least_once=True, survives_restart=False, max_job_bytes=50_000, redelivers_at_once=True, bounded=True
    )
    monkeypatch.setattr("ticketmail.adapters.memory.broker.MemoryBroker.capabilities", narrow)
    files = tuple(attach(bytes([n]) * 20_000, filename=f"{n}.bin") for n in range(10))
    with TicketMail(settings=settings) as mail:
        mail.submit(LARGE.model_copy(update={"text": "x", "attachments": files}))
        (order,) = orders(broker_of(mail.settings), 1)
        shared = blobs_of(mail.settings)
        assert shared is not None
        message = made_whole(order.submission.message, lambda digest: shared.get("", digest))
        assert [one.content for one in message.attachments] == [one.content for one in files]

        names = [(f"X-{n}", "v" * 900) for n in range(60)]
        with pytest.raises(JobTooLarge, match=r"50000 that this broker takes\. Send less"):
            mail.submit(LARGE.model_copy(update={"headers": tuple(names)}))


def test_a_store_that_is_away_is_told_before_anything_is_handed_over(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("no folder")
    with TicketMail(settings=settings) as mail:
        with pytest.raises(BlobStoreError):
            mail.submit(LARGE)
        assert broker_of(mail.settings).depth("submit") == 0


def test_content_that_is_gone_is_told_with_the_next_step(settings: dict[str, Any]) -> None:
    with TicketMail(settings=settings) as mail:
        mail.submit(LARGE)
        (order,) = orders(broker_of(mail.settings), 1)
        shared = blobs_of(mail.settings)
        assert shared is not None
        shared.sweep(-1)

        for store in (shared, None):
            with pytest.raises(InvalidMessage, match=r"same \[broker\] blobs"):
                whole_of(store)(order)
