"""The mailbox in memory keeps the shipped contract, and its faults are faults."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ticketmail.domain.errors import MailboxUnreachable
from ticketmail.domain.ports.receiving import Mailbox
from ticketmail.testing.mailboxes import FakeMailbox, FakeMailServer, InboxBook, MailboxContract, mail


class TestFakeMailbox(MailboxContract):
    @pytest.fixture
    def server(self) -> FakeMailServer:
        return FakeMailServer()

    @pytest.fixture
    def make_mailbox(self, server: FakeMailServer) -> Callable[..., Mailbox]:
        return lambda **options: FakeMailbox(server)


def test_a_connection_that_breaks_in_a_mail_loses_nothing() -> None:
    server, inbox = FakeMailServer(), InboxBook()
    for number in range(3):
        server.deliver(mail(number))
    server.cut_after = 1
    with pytest.raises(MailboxUnreachable):
        FakeMailbox(server).poll(inbox)

    assert FakeMailbox(server).poll(inbox) == 2
    assert inbox.stored_twice == []


def test_a_wait_that_hangs_ends_only_when_it_is_cut() -> None:
    server = FakeMailServer()
    server.hangs = True
    box = FakeMailbox(server)
    threading.Timer(0.1, box.abort).start()

    with pytest.raises(MailboxUnreachable):
        box.wait(0.01)
