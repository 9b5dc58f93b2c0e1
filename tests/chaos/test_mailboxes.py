"""Workers that watch a real mailbox are killed again and again while mail comes in: each mail is one event, and none is lost."""

from __future__ import annotations

import asyncio
import os
import random
import smtplib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from imapclient import IMAPClient

from chaos.harness import HERE, Child, until
from ticketmail import MailEvent, TicketMail
from ticketmail.app.cli import main

pytestmark = [pytest.mark.chaos, pytest.mark.dovecot]

FULL = os.environ.get("TICKETMAIL_TEST_CHAOS") == "full"
MAILS = int(os.environ.get("TICKETMAIL_TEST_CHAOS_MAILBOX_MAILS", "2500" if FULL else "60"))
#: Rounds: each kills both workers.
KILLS = int(os.environ.get("TICKETMAIL_TEST_CHAOS_MAILBOX_KILLS", "54" if FULL else "3"))
SEED = int(os.environ.get("TICKETMAIL_TEST_CHAOS_SEED", "5"))
PATIENCE_S = 1500.0 if FULL else 120.0
#: Mails that come in within a moment: a worker stores several before it moves them.
BURST = 20
USER = "chaos@desk.test"

SETTINGS = """
site = "chaos"
secret = "0123456789abcdef0123456789abcdef"
spool = "{spool}"

[mailboxes.support]
url = "{url}"
ca_file = "{ca}"
addresses = ["{user}"]
{settled}
poll = "2s"

[worker]
beat = "1s"
"""


@dataclass
class Site:
    """Dovecot's mailbox, workers that watch it, and a host that hears of each mail. What is safe is ``moved``, or else marked."""

    directory: Path
    spool: str
    client: IMAPClient
    settings: Path
    moved: bool
    told: Counter[str] = field(default_factory=Counter)
    events: set[str] = field(default_factory=set)
    between: int = 0  #: kills that fell after the commit of a mail and before its move or mark

    def __post_init__(self) -> None:
        command = [sys.executable, str(HERE / "hasty_worker.py"), str(self.settings)]
        self.workers = [Child(f"worker{number}", command, self.directory / f"worker{number}.log") for number in range(2)]
        self.host = TicketMail(settings=self.settings)
        self.host.prepare()
        self._stop = threading.Event()
        self._listening = threading.Thread(target=lambda: asyncio.run(self._listen()))

    def __enter__(self) -> Site:
        for one in (*self.workers, self._listening):
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self._stop.set()
        self._listening.join(30)
        self.host.close()
        self.client.shutdown()

    def kill(self, worker: Child) -> None:
        worker.kill()
        stored = {view.source.rpartition(";")[2] for view in self.host.inbound.find(limit=MAILS * 2)}
        self.between += any(str(uid) in stored for uid in self._left())
        worker.start()

    def left(self) -> int:
        """Mails that nobody has moved or marked yet."""
        return len(self._left())

    def _left(self) -> list[int]:
        self.client.select_folder("INBOX")
        return list(self.client.search() if self.moved else self.client.search(["NOT", "KEYWORD", "$Ticketmail"]))

    async def _listen(self) -> None:
        stop = asyncio.Event()
        listening = asyncio.ensure_future(self.host.alisten(self._heard, stop=stop))
        await asyncio.to_thread(self._stop.wait)
        stop.set()
        await listening

    def _heard(self, event: MailEvent) -> None:
        if event.kind == "received":
            self.told[event.subject] += 1
            self.events.add(str(event.event_id))


def deliver(numbers: range) -> None:
    """By LMTP, as a mail server does."""
    host, _, port = os.environ["TICKETMAIL_TEST_DOVECOT_LMTP"].partition(":")
    with smtplib.LMTP(host, int(port)) as client:
        for number in numbers:
            head = ("From: ann@customer.test", f"To: {USER}", f"Subject: mail {number}", f"Message-ID: <{number}@customer.test>")
            client.sendmail("ann@customer.test", [USER], "\r\n".join((*head, "", "It burns.", "")).encode())


@pytest.fixture(params=["moved", "marked"])
def settled(request: pytest.FixtureRequest) -> str:
    """What becomes of a mail in its mailbox once it is safe: the setting."""
    return 'processed = "Processed"' if request.param == "moved" else ""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)] if FULL else ["sqlite"])
def site(request: pytest.FixtureRequest, tmp_path: Path, settled: str) -> Iterator[Site]:
    url, password = os.environ.get("TICKETMAIL_TEST_DOVECOT"), os.environ.get("TICKETMAIL_TEST_DOVECOT_PASSWORD", "")
    if not url:
        pytest.skip("Dovecot does not run (scripts/services start dovecot)")
    spool = f"sqlite:///{tmp_path}/spool.db" if request.param == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    parts = urlsplit(url)
    client = IMAPClient(parts.hostname, parts.port, ssl=False)
    client.login(USER, password)
    for folder in ("INBOX", "Processed"):
        if client.folder_exists(folder):
            client.select_folder(folder)
            client.delete_messages(client.search())
            client.expunge()
    path = tmp_path / "ticketmail.toml"
    box = f"{parts.scheme}://{quote(USER, safe='')}:{password}@{parts.netloc}"
    ca = os.environ["TICKETMAIL_TEST_DOVECOT_CA"]
    path.write_text(SETTINGS.format(spool=spool, url=box, ca=ca, user=USER, settled=settled))
    with Site(tmp_path, spool, client, path, bool(settled)) as made:
        yield made


@pytest.mark.timeout(3600 if FULL else 240)
def test_each_mail_is_one_event_whenever_the_worker_that_reads_it_is_killed(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    dice, kills, sent = random.Random(SEED), 0, 0
    deadline = time.monotonic() + PATIENCE_S
    bursts = [range(first, min(first + BURST, MAILS)) for first in range(0, MAILS, BURST)]
    due = [int(len(bursts) * number / KILLS) for number in range(KILLS)]
    for number, burst in enumerate(bursts):
        before = len(site.told)
        deliver(burst)
        sent += len(burst)
        for _ in range(due.count(number)):
            _until_work_begins(site, before, deadline)
            time.sleep(dice.uniform(0.0, 0.15))
            for worker in site.workers:  # one of them watches the mailbox
                site.kill(worker)
            kills += 1
    until(lambda: len(site.told) >= MAILS, max(1.0, deadline - time.monotonic()), f"all are told; {site.workers[0].said()}")
    until(lambda: site.left() == 0, 30, "all are moved or marked")

    with capsys.disabled():
        told = f"{MAILS} mails, {len(site.told)} told, {kills} times both workers killed"
        print(f"\n  mailbox: {told}, {site.between} kills between commit and move or mark")
    assert set(site.told) == {f"mail {number}" for number in range(MAILS)}
    assert len(site.events) == MAILS
    assert max(site.told.values()) == 1, site.told.most_common(3)
    assert site.client.select_folder("Processed" if site.moved else "INBOX")[b"EXISTS"] == MAILS
    assert main(["--settings", str(site.settings), "mailbox", "check"]) == 0


def _until_work_begins(site: Site, before: int, deadline: float) -> None:
    """The newest mails are being taken in: some of them stand in the ledger already."""
    until(
        lambda: len(site.told) > before or site.left() < BURST,
        max(1.0, deadline - time.monotonic()),
        "a worker reads mail",
        0.005,
    )
