"""A real Dovecot (scripts/services starts one), its mailboxes emptied for each test, and the ledger in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from imapclient import IMAPClient

from ticketmail.adapters.imap import create
from ticketmail.adapters.memory import create as create_memory
from ticketmail.app.watching import MailboxInbox
from ticketmail.domain.ports.receiving import InboundView, MailboxOptions
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions

USER = "queue@desk.test"
CA = os.environ.get("TICKETMAIL_TEST_DOVECOT_CA", "")


class Server:
    """The server as its other users see it."""

    def __init__(self, url: str, password: str) -> None:
        self.password = password
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{quote(USER, safe='')}:{password}@{parts.netloc}"
        self.client = IMAPClient(parts.hostname, parts.port, ssl=False)
        self.client.login(USER, password)
        for _, _, name in self.client.list_folders():
            if name != "INBOX":
                self.client.delete_folder(name)
        self.client.select_folder("INBOX")
        self.client.delete_messages(self.client.search())
        self.client.expunge()

    def puts(self, text: str, folder: str = "INBOX") -> None:
        """Somebody else delivers a mail."""
        content = (
            f"From: ann@example.net\r\nSubject: {text}\r\nMessage-ID: <{text.replace(' ', '-')}@example.net>\r\n\r\n{text}\r\n"
        )
        self.client.append(folder, content.encode())

    def subjects(self, folder: str = "INBOX") -> list[str]:
        """What is in a folder."""
        self.client.select_folder(folder)
        found = self.client.fetch(self.client.search(), ["ENVELOPE"])
        return sorted(one[b"ENVELOPE"].subject.decode() for one in found.values())

    def flags(self) -> set[bytes]:
        """All flags in INBOX."""
        self.client.select_folder("INBOX")
        return {flag for flags in self.client.get_flags(self.client.search()).values() for flag in flags} - {b"\\Recent"}


@pytest.fixture
def dovecot() -> Iterator[Server]:
    url = os.environ.get("TICKETMAIL_TEST_DOVECOT")
    if not url:
        pytest.skip("Dovecot does not run (scripts/services start dovecot)")
    made = Server(url, os.environ["TICKETMAIL_TEST_DOVECOT_PASSWORD"])
    yield made
    made.client.shutdown()


@pytest.fixture
def server(dovecot: Server) -> Server:
    return dovecot


@pytest.fixture
def spool() -> SpoolAdapter:
    return create_memory("memory://", SpoolOptions())


@pytest.fixture
def inbox(spool: SpoolAdapter) -> MailboxInbox:
    return MailboxInbox(spool.ledger, "help", "")


@pytest.fixture
def open_box(dovecot: Server) -> Iterator[Callable[..., Any]]:
    opened: list[Any] = []

    def open_(host: str = "127.0.0.1", **options: Any) -> Any:
        opened.append(create(dovecot.url.replace("127.0.0.1", host), MailboxOptions(**{"ca_file": CA, **options})))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def stored(spool: SpoolAdapter) -> Callable[[], list[InboundView]]:
    return lambda: list(reversed(spool.ledger.find()))
