"""Round trip with real servers: a host's reply goes by Postfix into a customer's mailbox, the customer's answer comes back by
Postfix, Dovecot and IMAP IDLE onto the same ticket, within two seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import smtplib
import ssl
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from imapclient import IMAPClient

from ticketmail import Message, TicketMail
from ticketmail.app.cli import main
from ticketmail.app.worker import Worker

pytestmark = [pytest.mark.dovecot, pytest.mark.postfix]
DESK, ANN, BOB = "support@desk.test", "ann@customer.test", "bob@customer.test"


class Servers:
    """Postfix and Dovecot, as the tests and their customers use them."""

    def __init__(self) -> None:
        names = ("TICKETMAIL_TEST_DOVECOT", "TICKETMAIL_TEST_POSTFIX_PLAIN", "TICKETMAIL_TEST_POSTFIX_CA")
        if any(name not in os.environ for name in names):
            pytest.skip("Dovecot or Postfix does not run (scripts/services start dovecot postfix)")
        self.imap, self.smtp = urlsplit(os.environ[names[0]]), urlsplit(os.environ[names[1]])
        self.password = os.environ["TICKETMAIL_TEST_DOVECOT_PASSWORD"]
        self.settings = {
            "accounts": {"desk": {"url": f"smtp://{self.smtp.netloc}", "ca_file": os.environ[names[2]], "auth": "none"}},
            "mailboxes": {
                "support": {
                    "url": f"imap://{quote(DESK, safe='')}:{self.password}@{self.imap.netloc}",
                    "ca_file": os.environ["TICKETMAIL_TEST_DOVECOT_CA"],
                    "addresses": [DESK],
                    "history": "1d",
                }
            },
        }

    def mailbox(self, user: str) -> IMAPClient:
        """A customer's own client, its mailbox empty."""
        client = IMAPClient(self.imap.hostname, self.imap.port, ssl=False)
        client.login(user, self.password)
        client.select_folder("INBOX")
        client.delete_messages(client.search())
        client.expunge()
        return client

    def sends(self, sender: str, text: str = "It works, thanks.", to: str = DESK, **fields: str) -> float:
        """A customer writes; when Postfix had taken it (monotonic seconds)."""
        mail = EmailMessage()
        head = {"From": sender, "To": to, "Subject": "Re: Your printer", "Message-ID": f"<{uuid.uuid4()}@customer.test>"}
        for name, value in {**head, **fields}.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        with smtplib.SMTP(self.smtp.hostname or "", self.smtp.port or 0) as client:
            client.starttls(context=ssl.create_default_context(cafile=os.environ["TICKETMAIL_TEST_POSTFIX_CA"]))
            client.send_message(mail)
        return time.monotonic()


class Desk:
    """The host, its worker, and what its handler was told when (monotonic seconds)."""

    def __init__(self, mail: TicketMail) -> None:
        self.mail = mail
        self.worker = Worker(mail)
        self.told: list[tuple[float, Any]] = []
        self.acknowledges = False

    def handle(self, event: Any) -> None:
        self.told.append((time.monotonic(), event))
        if self.acknowledges and event.kind == "received" and event.acknowledge.allowed:
            self.mail.submit(letter(event.author.address, "We have your mail."), ticket="77")

    async def waits(self, seconds: float = 30) -> None:
        """Until all that was there is stored, and the next mail is waited for."""
        async with asyncio.timeout(seconds):
            while not any(one.health.waiting for one in self.worker._reception._watchers.values()):
                await asyncio.sleep(0.005)

    async def hears(self, fits: Callable[[Any], bool], seconds: float = 30) -> tuple[float, Any]:
        async with asyncio.timeout(seconds):
            while True:
                for at_s, event in self.told:
                    if fits(event):
                        return at_s, event
                await asyncio.sleep(0.02)

    async def rests(self, fits: Callable[[list[Any]], bool], seconds: float = 30) -> None:
        """Until the mails that it was told of are these."""
        async with asyncio.timeout(seconds):
            while not fits([event for _, event in self.told if event.kind == "received"]):
                await asyncio.sleep(0.02)


def letter(to: str | list[str], text: str = "On its way.") -> Message:
    return Message(sender=DESK, to=to, subject="Your printer", text=text)


async def arrived(client: IMAPClient, seconds: float = 30) -> Any:
    """The first mail in a customer's mailbox."""
    async with asyncio.timeout(seconds):
        while not (uids := await asyncio.to_thread(_search, client)):
            await asyncio.sleep(0.05)
    return message_from_bytes(client.fetch(uids, ["BODY[]"])[uids[0]][b"BODY[]"])


def _search(client: IMAPClient) -> list[int]:
    client.noop()
    return list(client.search())


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def ann(servers: Servers) -> Iterator[IMAPClient]:
    client = servers.mailbox(ANN)
    yield client
    client.shutdown()


@pytest.fixture
async def desk(servers: Servers, tmp_path: Path) -> AsyncIterator[Desk]:
    servers.mailbox(DESK).shutdown()
    made = Desk(TicketMail(settings={**servers.settings, "spool": f"sqlite:///{tmp_path}/spool.db"}))
    made.mail.prepare()
    worker, stop = made.worker, asyncio.Event()
    running = asyncio.ensure_future(worker.run())
    listening = asyncio.ensure_future(made.mail.alisten(made.handle, stop=stop))
    yield made
    worker.drain()
    stop.set()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(running, listening)
    made.mail.close()


def rewritten(mail: Any) -> dict[str, str]:
    """As Amazon SES does: another Message-ID, the rest as it was; the customer's program answers to that."""
    ident = f"<0100{uuid.uuid4().hex}-000000@eu-west-1.amazonses.com>"
    return {"In_Reply_To": ident, "References": f"{mail['References']} {ident}"}


def intact(mail: Any) -> dict[str, str]:
    return {"In_Reply_To": mail["Message-ID"], "References": f"{mail['References']} {mail['Message-ID']}"}


def only_references(mail: Any) -> dict[str, str]:
    """A program that keeps the beginning of the thread alone; any plus-address was stripped on the way."""
    return {"References": str(mail["References"])}


@pytest.mark.parametrize("answer", [intact, rewritten, only_references])
async def test_an_answer_is_told_on_its_ticket_within_two_seconds(
    desk: Desk, servers: Servers, ann: IMAPClient, answer: Callable[[Any], dict[str, str]]
) -> None:
    ticket = f"T-{uuid.uuid4().hex[:6]}"
    desk.mail.submit(letter(ANN), ticket=ticket)
    got = await arrived(ann)
    await desk.waits()

    sent_s = await asyncio.to_thread(lambda: servers.sends(ANN, **answer(got)))
    at_s, event = await desk.hears(lambda one: one.kind == "received")

    assert (event.ticket, event.thread.strength, event.author.address) == (ticket, "proven", ANN)
    assert "It works, thanks." in event.text
    assert at_s - sent_s < 2.0


async def test_a_bounce_of_postfix_marks_the_right_recipient(desk: Desk) -> None:
    receipt = desk.mail.submit(letter([ANN, "nobody@customer.test"]), ticket="T-1")

    _, bounced = await desk.hears(lambda one: one.kind == "bounced")
    _, received = await desk.hears(lambda one: one.kind == "received")

    assert (bounced.recipient, bounced.submission_id, bounced.ticket) == ("nobody@customer.test", receipt.submission_id, "T-1")
    assert (received.category, received.acknowledge.allowed) == ("bounce", False)
    assert [one.address for one in desk.mail.reading.suppressions()] == ["nobody@customer.test"]


async def test_two_machines_that_answer_each_other_stop(desk: Desk, servers: Servers) -> None:
    """Bob's program answers every mail as a person would, with a new subject each time. They have stopped when each mail that was
    allowed has been answered, each answer told, and the last of them allows none: nothing is on its way."""
    bob = servers.mailbox(BOB)
    stop, answered = threading.Event(), 0

    def respond() -> None:
        nonlocal answered
        while not stop.wait(0.05):
            for uid in _search(bob):
                bob.delete_messages([uid])
                bob.expunge()
                answered += 1
                servers.sends(BOB, f"Answer {answered}", Subject=f"Answer {answered}")

    desk.acknowledges = True
    machine = threading.Thread(target=respond)
    machine.start()
    servers.sends(BOB, "Hello")
    try:
        await desk.hears(lambda one: one.kind == "received" and not one.acknowledge.allowed, 60)
        await desk.rests(lambda received: answered == sum(one.acknowledge.allowed for one in received) == len(received) - 1)
    finally:
        stop.set()
        machine.join()
        bob.shutdown()

    assert answered <= 5


def test_doctor_proves_by_real_mails_which_marks_come_back(servers: Servers, tmp_path: Path, capsys: Any) -> None:
    servers.mailbox(DESK).shutdown()
    account, box = servers.settings["accounts"]["desk"], servers.settings["mailboxes"]["support"]  # type: ignore[index]
    path = tmp_path / "ticketmail.toml"
    tables = {"accounts.desk": account, "mailboxes.support": {**box, "addresses": DESK}}
    lines = [f'spool = "sqlite:///{tmp_path}/spool.db"']
    for name, table in tables.items():
        lines += [f"[{name}]", *(f'{key} = "{value}"' for key, value in table.items())]
    path.write_text("\n".join(lines))

    main(["--settings", str(path), "doctor", "--probe", "desk", "--answers", "support", "--connections", "1"])
    told = capsys.readouterr().out

    for line in ("reply_token = true", f'bounce_to = "{DESK}"', "subject_tag = true", "body_marker = true"):
        assert line in told, told
