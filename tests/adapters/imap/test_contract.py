"""IMAP against Dovecot keeps the shipped contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ticketmail.domain.ports.receiving import Mailbox
from ticketmail.testing.mailboxes import MailboxContract


class _Deliveries:
    def __init__(self, server: Any) -> None:
        self._server = server

    def deliver(self, content: bytes) -> None:
        self._server.client.append("INBOX", content)


@pytest.mark.dovecot
class TestImap(MailboxContract):
    @pytest.fixture
    def server(self, dovecot: Any) -> _Deliveries:
        return _Deliveries(dovecot)

    @pytest.fixture
    def make_mailbox(self, open_box: Callable[..., Mailbox]) -> Callable[..., Mailbox]:
        return open_box
