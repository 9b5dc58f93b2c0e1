"""A worker at a broker: what a host published is sent, and what came of it travels back; by webhook too."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.intake.kit import SECRET, job_of, order
from app.worker.scene import until, working
from ticketmail import TicketMail
from ticketmail.adapters.memory.broker import create
from ticketmail.app.usecases.hear import Hear
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.events import MailEvent
from ticketmail.domain.ports.queueing import SUBMIT, BrokerOptions, Job
from ticketmail.testing.scripted_http import ScriptedServer


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}"


@pytest.fixture
def make_mail(tmp_path: Path) -> Iterator[Callable[..., TicketMail]]:
    with ExitStack() as opened:

        def make(**settings: Any) -> TicketMail:
            given = {"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": {"null": {"url": "null://"}}, **settings}
            return opened.enter_context(TicketMail(settings=given))

        yield make


def sent(mail: TicketMail) -> int:
    return mail.reading.overview().counts.get("sent", 0)  # type: ignore[call-overload, no-any-return]


async def test_what_comes_by_the_broker_is_sent_and_the_host_hears_of_it(make_mail: Any, url: str) -> None:
    mail = make_mail(broker={"url": url, "secret": SECRET.decode()})
    broker = create(url, BrokerOptions())
    mails = [order(f"u{number}@example.net", key=f"k{number}") for number in range(20)]
    broker.publish(SUBMIT, [job_of(one, secret=SECRET) for one in mails])
    broker.publish(SUBMIT, [job_of(mails[0], secret=SECRET), Job("p", b"poison"), job_of(order())])
    heard: list[MailEvent] = []
    async with working(mail):
        await until(lambda: sent(mail) == 20 and broker.depth(SUBMIT) == 0 and mail.spool.parking.waiting() == 2)
        stop = asyncio.Event()
        ear = asyncio.ensure_future(Hear(broker, secrets=[SECRET], now_us=lambda: 0).alisten(heard.append, stop=stop))
        await until(lambda: len(heard) == 20)
        stop.set()
        await ear
    assert {event.kind for event in heard} == {"sent"}
    assert {event.key for event in heard} == {one.submission.key for one in mails}
    assert {event.message_id for event in heard} == {
        view.message_id for view in mail.reading.find(_all(), limit=99)
    }  # what the host could not mint, it is told


def listening(host: TicketMail, enough: int) -> tuple[list[MailEvent], Any]:
    """Events as the host's own process hears them, in a thread."""
    stop, seen = threading.Event(), list[MailEvent]()

    def handler(event: MailEvent) -> None:
        seen.append(event)
        if len(seen) == enough:
            stop.set()

    return seen, asyncio.to_thread(host.listen, handler, stop=stop)


async def test_a_host_without_a_spool_hands_over_and_listens(make_mail: Any, url: str) -> None:
    road = {"url": url, "secret": SECRET.decode()}
    mail = make_mail(broker=road)
    with TicketMail(settings={"broker": road}) as host:
        receipts = [host.submit(order(f"u{number}@example.net").submission, key=f"k{number}") for number in range(5)]
        host.cancel(f"id:{receipts[0].submission_id}", reason="closed")
        heard, listener = listening(host, 5)
        async with working(mail):
            await asyncio.wait_for(listener, 15)
    assert {event.submission_id for event in heard} == {receipt.submission_id for receipt in receipts}


async def test_large_content_travels_beside_its_job(make_mail: Any, url: str, tmp_path: Path) -> None:
    """A folder that both sides reach; what is gone or corrupt there is parked, and its host told."""
    road = {"url": url, "blobs": f"file://{tmp_path}/shared"}
    mail, large = make_mail(broker=road), "x" * 500_000
    with TicketMail(settings={"broker": road}) as host:
        for to, text in (("whole@example.net", large), ("gone@example.net", large + "y"), ("corrupt@example.net", large + "z")):
            host.submit(order(to, text=text).submission)
        for path in (tmp_path / "shared").glob("*/*"):
            content = path.read_text()
            if content.endswith("y"):
                path.unlink()
            if content.endswith("z"):
                path.write_text("rotten")
        heard, listener = listening(host, 3)
        async with working(mail):
            await asyncio.wait_for(listener, 15)
    assert sorted((event.recipient, event.kind) for event in heard) == [
        ("corrupt@example.net", "refused"), ("gone@example.net", "refused"), ("whole@example.net", "sent"),
    ]  # fmt: skip
    assert mail.spool.parking.waiting() == 2
    mail.close()


async def test_a_host_with_a_spool_of_its_own_hears_by_the_broker_that_takes_its_events(make_mail: Any, url: str) -> None:
    mail = make_mail(broker=url)
    mail.submit(order().submission)
    heard, listener = listening(mail, 1)
    async with working(mail):
        await asyncio.wait_for(listener, 15)
    assert [event.kind for event in heard] == ["sent"]


def test_nobody_listens_where_a_webhook_is_told(make_mail: Any) -> None:
    with make_mail(webhook="https://desk.example.com/mail") as mail, pytest.raises(SettingsError, match="one reader"):
        mail.listen(print)


async def test_a_broker_may_be_named_to_the_worker_alone(make_mail: Any, url: str) -> None:
    mail = make_mail()
    create(url, BrokerOptions()).publish(SUBMIT, [job_of(order())])
    async with working(mail, intake_url=url):
        await until(lambda: sent(mail) == 1)


async def test_two_workers_share_a_broker(make_mail: Any, url: str) -> None:
    mail, other = make_mail(broker=url), make_mail(broker=url)
    broker = create(url, BrokerOptions())
    async with working(mail), working(other):
        broker.publish(SUBMIT, [job_of(order(f"u{number}@example.net")) for number in range(300)])
        await until(lambda: sent(mail) == 300 and broker.depth(SUBMIT) == 0, 30)


async def test_events_stay_for_the_hosts_listener_where_the_settings_say_so(make_mail: Any, url: str) -> None:
    mail = make_mail(broker={"url": url, "events": False})
    create(url, BrokerOptions()).publish(SUBMIT, [job_of(order())])
    async with working(mail):
        await until(lambda: sent(mail) == 1)
        assert mail.reading.overview().events_waiting == 1
        seen, listener = listening(mail, 1)
        await asyncio.wait_for(listener, 10)
    assert len(seen) == 1


async def test_events_go_out_by_signed_webhook_and_come_again_until_taken(
    make_mail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketmail.app.usecases.tell.RETRY_AFTER_S", (0.05,))
    async with ScriptedServer() as host:
        host.answer(503)
        for _ in range(3):
            host.answer(200)
        mail = make_mail(webhook={"url": f"{host.url}/mail", "secret": "a secret of 16 bytes", "allow_private": True})
        mail.submit_many([order(f"u{number}@example.net").submission for number in range(3)])
        async with working(mail):
            await until(lambda: len(host.requests) == 4 and not mail.reading.overview().events_waiting)
    told = [request.json()["data"]["recipient"] for request in host.requests]
    assert len(told) == 4
    assert set(told) == {f"u{number}@example.net" for number in range(3)}
    for request in host.requests:
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        digest = hmac.new(b"a secret of 16 bytes", signed, hashlib.sha256).digest()
        assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_events_have_one_reader(make_mail: Any) -> None:
    with pytest.raises(SettingsError, match="one reader"):
        make_mail(webhook="https://desk.example.com/mail", broker={"url": "memory://x", "events": True})


def _all() -> Any:
    from ticketmail import Scope

    return Scope.parse("all")
