"""A worker makes events of what comes in, whoever stored it."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ticketmail import TicketMail
from ticketmail.app import reception, watching
from ticketmail.app.worker import Worker
from ticketmail.domain.errors import MailboxRefused
from ticketmail.testing.mailboxes import FakeMailbox, FakeMailServer

MAIL = b"From: ann@example.net\r\nTo: help@example.com\r\nSubject: Printer\r\n\r\nIt burns.\r\n"


async def test_a_worker_makes_events_of_what_comes_in_and_keeps_what_came_before(tmp_path: Path) -> None:
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "mailboxes": {"help": {}}}
    mail, elsewhere = TicketMail(settings=settings), TicketMail(settings=settings)
    elsewhere.inbound.receive("help", MAIL)
    told: list[Any] = []
    stop = asyncio.Event()
    worker = Worker(mail)
    running = asyncio.ensure_future(worker.run())
    listening = asyncio.ensure_future(mail.alisten(told.append, stop=stop))
    try:
        async with asyncio.timeout(20):
            while len(told) < 2:
                await asyncio.sleep(0.02)
                if len(told) == 1:
                    elsewhere.inbound.receive("help", MAIL.replace(b"burns", b"smokes"))
    finally:
        worker.drain()
        stop.set()
        await asyncio.gather(running, listening)
        mail.close()
        elsewhere.close()

    assert sorted(event.text.strip() for event in told) == ["It burns.", "It smokes."]


async def test_a_worker_opens_a_door_for_a_mail_server_and_leads_each_mail_to_its_mailbox(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    boxes = {"help": {"addresses": ["help@example.com"]}, "sales": {"addresses": ["sales.example.com"]}}
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "mailboxes": boxes, "receiver": {"lmtp": f"127.0.0.1:{port}"}}
    mail = TicketMail(settings=settings)
    worker = Worker(mail)
    running = asyncio.ensure_future(worker.run())

    def deliver() -> None:
        for _ in range(400):
            try:
                client = smtplib.LMTP("127.0.0.1", port)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        with client:
            for recipient in ("help+token@example.com", "anyone@sales.example.com"):
                client.sendmail("ann@example.net", [recipient], MAIL)

    try:
        await asyncio.wait_for(asyncio.to_thread(deliver), 30)
        views = mail.inbound.find()
    finally:
        worker.drain()
        await running
        mail.close()

    assert sorted((view.mailbox, view.envelope_to, view.envelope_from) for view in views) == [
        ("help", ("help+token@example.com",), "ann@example.net"),
        ("sales", ("anyone@sales.example.com",), "ann@example.net"),
    ]


class Box(FakeMailbox):
    """Notes who reads it."""

    readers: ClassVar[set[str]] = set()

    def poll(self, inbox: Any) -> int:
        self.readers.add(threading.current_thread().name + str(id(self)))
        return super().poll(inbox)


async def test_of_two_workers_one_watches_a_mailbox_and_the_other_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeMailServer()
    monkeypatch.setattr(reception, "make_mailbox", lambda *_: Box(server))
    monkeypatch.setattr(reception, "CLAIM_S", 0.05)
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "mailboxes": {"help": {"url": "imaps://u:p@host"}}}
    mails = [TicketMail(settings=settings) for _ in range(2)]
    mails[0].prepare()
    workers = [Worker(mail) for mail in mails]
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]

    async def stored(count: int) -> None:
        async with asyncio.timeout(30):
            while len(await asyncio.to_thread(mails[0].inbound.find)) < count:
                await asyncio.sleep(0.02)

    try:
        server.deliver(MAIL)
        await stored(1)
        await asyncio.sleep(0.2)
        watchers = [worker._reception._watchers for worker in workers]
        assert sorted(len(one) for one in watchers) == [0, 1]
        first = 0 if watchers[0] else 1
        workers[first].drain()
        await tasks[first]
        server.deliver(MAIL.replace(b"burns", b"smokes"))
        await stored(2)
    finally:
        for worker in workers:
            if not worker._stopping.is_set():
                worker.drain()
        await asyncio.gather(*tasks)
        for mail in mails:
            mail.close()
    assert len(Box.readers) == 2


class Told:
    """An alarm sink."""

    via_accounts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.titles: list[tuple[str, bool]] = []

    async def send(self, alert: Any) -> None:
        self.titles.append((alert.title, alert.resolved))


class Lockable(FakeMailbox):
    """Lets nobody in while ``locked``."""

    locked = False

    def poll(self, inbox: Any) -> int:
        if Lockable.locked:
            raise MailboxRefused("The server does not let help in.", remedy="Check user and password.")
        return super().poll(inbox)


async def test_status_and_alarms_tell_how_it_goes_with_a_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeMailServer()
    Lockable.locked = False
    monkeypatch.setattr(reception, "make_mailbox", lambda *_: Lockable(server))
    monkeypatch.setattr(reception, "CLAIM_S", 0.05)
    monkeypatch.setattr(watching, "BACK_OFF_S", (0.05,))
    boxes = {"help": {"url": "imaps://u:p@host", "poll": "1s"}}
    told = Told()
    mail = TicketMail(settings={"spool": f"sqlite:///{tmp_path}/spool.db", "mailboxes": boxes}, alert_sinks=[told])

    async def seen(fact: Any) -> Any:
        async with asyncio.timeout(30):
            while not fact((found := (await asyncio.to_thread(mail.status)).mailboxes)[0]):
                await asyncio.sleep(0.02)
            return found[0]

    assert (await asyncio.to_thread(mail.status)).mailboxes[0].state == "nobody watches it"
    server.deliver(MAIL)
    worker = Worker(mail)
    running = asyncio.ensure_future(worker.run())
    try:
        well = await seen(lambda one: one.connected and one.last_mail_us)
        Lockable.locked = True
        refused = await seen(lambda one: one.trouble)
        await until_told(told, ("Mailbox help cannot be read", False))
        Lockable.locked = False
        again = await seen(lambda one: one.connected)
        await until_told(told, ("Mailbox help cannot be read", True))
    finally:
        worker.drain()
        await running
        left = (await asyncio.to_thread(mail.status)).mailboxes[0]
        mail.close()

    assert (well.state, well.level, well.places) == ("watched", "ok", {"INBOX": "1:1"})
    assert (refused.state, refused.level, refused.connected) == ("refused", "bad", False)
    assert "does not let help in" in refused.trouble
    assert again.last_mail_us == well.last_mail_us
    assert (left.state, left.worker, left.last_mail_us) == ("nobody watches it", "", well.last_mail_us)


async def until_told(told: Told, word: tuple[str, bool]) -> None:
    async with asyncio.timeout(30):
        while word not in told.titles:
            await asyncio.sleep(0.02)


async def test_mailboxes_of_a_host_come_change_and_go_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"imaps://one": FakeMailServer(), "imaps://two": FakeMailServer()}
    servers["imaps://two"].validity = 2  # as those of two real servers differ
    opened: list[str] = []

    def open_(settings: Any, name: str, *_: Any) -> FakeMailbox:
        url = settings.mailboxes[name].url.get_secret_value()
        opened.append(f"{name} {url}")
        return FakeMailbox(servers[url])

    monkeypatch.setattr(reception, "make_mailbox", open_)
    monkeypatch.setattr(reception, "CLAIM_S", 0.05)
    monkeypatch.setattr("ticketmail.app.worker.EVERY_S", 0.05)
    tables: dict[str, Any] = {}
    mail = TicketMail(spool=f"sqlite:///{tmp_path}/spool.db", mailboxes=lambda: dict(tables))
    worker = Worker(mail)
    running = asyncio.ensure_future(worker.run())

    async def until(fact: Any) -> None:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(fact):
                await asyncio.sleep(0.02)

    try:
        tables["help"] = {"url": "imaps://one", "tenant": "acme", "addresses": ["help@acme.example"]}
        servers["imaps://one"].deliver(MAIL)
        await until(lambda: [view.tenant for view in mail.inbound.find(mailbox="help")] == ["acme"])
        tables["help"] = {"url": "imaps://two", "tenant": "acme"}
        servers["imaps://two"].deliver(MAIL.replace(b"burns", b"smokes"))
        await until(lambda: len(mail.inbound.find(mailbox="help")) == 2)
        tables["broken"] = {"url": 3}
        await until(lambda: "mailboxes.broken" in mail.refresh_accounts())
        assert mail.settings.mailboxes.keys() == {"help"}
        del tables["help"], tables["broken"]
        watchers = worker._reception._watchers
        await until(lambda: not watchers)
        assert not mail.status().mailboxes
    finally:
        worker.drain()
        await running
        mail.close()

    assert opened == ["help imaps://one", "help imaps://two"]
