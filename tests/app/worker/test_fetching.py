"""Attachments by reference: the host gives their bytes when the mail leaves."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable

import pytest

from ticketmail import Attachment, Message
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.testing.sandbox import memory


def bill() -> Message:
    file = Attachment(filename="invoice.txt", content_type="text/plain", reference="invoice-7")
    return Message(sender="desk@example.com", to="ann@example.net", subject="Bill", text="Here it is.", attachments=[file])


class Store:
    """A host's files; away for so many questions."""

    def __init__(self, error: Exception | None = None, *, times: int = 0, later: bool = False) -> None:
        self.error = error
        self.times = times
        self.later = later
        self.asked: list[str] = []

    def __call__(self, reference: str) -> bytes | Awaitable[bytes]:
        self.asked.append(reference)
        if self.error is not None and len(self.asked) <= self.times:
            raise self.error
        return asyncio.sleep(0, b"Seven euros.") if self.later else b"Seven euros."


@pytest.mark.parametrize("later", [False, True])
def test_the_bytes_that_the_host_gives_are_sent(later: bool) -> None:
    store = Store(later=later)
    with memory(fetch=store) as tm:
        tm.mail.submit(bill())
        assert store.asked == []
        tm.run_until_idle()

        assert store.asked == ["invoice-7"]
        assert base64.b64encode(b"Seven euros.") in tm.arrived[0].mime


@pytest.mark.parametrize("error", [TimeoutError(), RuntimeError("the database is away"), ValueError("bad gateway")])
def test_a_store_that_is_away_is_asked_again(error: Exception) -> None:
    with memory(fetch=Store(error, times=2)) as tm:
        tm.mail.submit(bill())
        tm.run_for(3600)

        assert len(tm.sent) == 1


def test_a_file_that_is_gone_makes_a_dead_letter_that_names_it() -> None:
    with memory(fetch=Store(KeyError("invoice-7"), times=99)) as tm:
        receipt = tm.mail.submit(bill())
        tm.run_until_idle()

        (view,) = tm.deliveries
        assert (view.state, view.cause) == (DeliveryState.DEAD, "content-missing")
        assert "invoice-7" in str(tm.mail.why(receipt.submission_id))


def test_a_worker_without_a_store_says_what_is_missing() -> None:
    with memory() as tm:
        receipt = tm.mail.submit(bill())
        tm.run_until_idle()

        assert "TicketMail(fetch=...)" in str(tm.mail.why(receipt.submission_id))
