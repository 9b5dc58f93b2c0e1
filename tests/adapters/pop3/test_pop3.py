"""POP3 against Dovecot keeps the shipped contract; deletes only what is safe; secrets stay secret."""

from __future__ import annotations

import os
import poplib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from imapclient import IMAPClient

from ticketmail.adapters.pop3 import create
from ticketmail.adapters.pop3 import mailbox as pop3_mailbox
from ticketmail.domain.errors import MailboxError, MailboxRefused, SettingsError, SpoolUnreachable
from ticketmail.domain.ports.receiving import Mailbox, MailboxOptions
from ticketmail.testing.mailboxes import InboxBook, MailboxContract, mail

USER = "pop@desk.test"


class Server:
    """The maildrop, filled by IMAP."""

    def __init__(self) -> None:
        if "TICKETMAIL_TEST_DOVECOT" not in os.environ:
            pytest.skip("Dovecot does not run (scripts/services start dovecot)")
        imap, pop = (urlsplit(os.environ[f"TICKETMAIL_TEST_DOVECOT{one}"]) for one in ("", "_POP3"))
        self.password = os.environ["TICKETMAIL_TEST_DOVECOT_PASSWORD"]
        self.url = f"pop3://{quote(USER, safe='')}:{self.password}@{pop.netloc}"
        self.client = IMAPClient(imap.hostname, imap.port, ssl=False)
        self.client.login(USER, self.password)
        self.client.select_folder("INBOX")
        self.client.delete_messages(self.client.search())
        self.client.expunge()

    def deliver(self, content: bytes) -> None:
        self.client.append("INBOX", content)

    def count(self) -> int:
        self.client.noop()
        return len(self.client.search())

    def open(self, **options: Any) -> Mailbox:
        return create(self.url, MailboxOptions(**{"ca_file": os.environ["TICKETMAIL_TEST_DOVECOT_CA"], **options}))


@pytest.fixture
def dovecot() -> Iterator[Server]:
    made = Server()
    yield made
    made.client.shutdown()


@pytest.mark.dovecot
class TestPop3(MailboxContract):
    @pytest.fixture
    def server(self, dovecot: Server) -> Server:
        return dovecot

    @pytest.fixture
    def make_mailbox(self, dovecot: Server) -> Callable[..., Mailbox]:
        return dovecot.open


@pytest.mark.dovecot
def test_only_what_is_safe_is_deleted(dovecot: Server) -> None:
    for number in range(3):
        dovecot.deliver(mail(number))
    inbox = InboxBook()
    inbox.fail_at = 1
    box = dovecot.open(options={"delete": "true"})
    with pytest.raises(SpoolUnreachable):
        box.poll(inbox)
    assert dovecot.count() == 3

    box.poll(inbox)

    assert dovecot.count() == 0
    assert len(inbox.letters) == 3
    assert inbox.stored_twice == []


@pytest.mark.dovecot
def test_lines_longer_than_poplib_takes_and_headers_of_what_is_too_large(dovecot: Server) -> None:
    dovecot.deliver(b"Subject: long\r\n\r\n" + b"x" * 5000 + b"\r\n")
    inbox, small = InboxBook(), InboxBook()
    dovecot.open().poll(inbox)
    dovecot.open(max_size_bytes=1000).poll(small)

    assert len(next(iter(inbox.letters.values())).content) > 5000
    assert next(iter(small.letters.values())).content.startswith(b"X-Ticketmail-Too-Large: ")


@pytest.mark.dovecot
def test_of_what_is_too_large_only_the_header_comes_so_it_is_never_deleted(dovecot: Server) -> None:
    dovecot.deliver(b"Subject: large\r\n\r\n" + b"x\r\n" * 500)
    dovecot.deliver(mail(1))
    inbox, options = InboxBook(), {"delete": "true"}
    for came in (2, 0):
        assert dovecot.open(max_size_bytes=1000, options=options).poll(inbox) == came
        assert dovecot.count() == 1
    assert inbox.has(list(dovecot.open(max_size_bytes=1000).census()))

    assert dovecot.open(options=options).poll(inbox) == 1, "with a larger limit all of it comes"
    assert dovecot.count() == 0


@pytest.mark.dovecot
def test_a_mail_that_the_server_does_not_give_is_told_after_three_tries_and_stays(
    dovecot: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    dovecot.deliver(mail(1))
    dovecot.deliver(mail(2))
    retr = poplib.POP3.retr

    def poison(self: Any, which: int) -> Any:
        return self._longcmd("RETR 99") if which == 1 else retr(self, which)

    monkeypatch.setattr(poplib.POP3, "retr", poison)
    inbox, box = InboxBook(), dovecot.open(options={"delete": "true"})
    for _ in range(2):
        with pytest.raises(MailboxError):
            box.poll(inbox)

    assert (box.poll(inbox), dovecot.count()) == (2, 1)
    assert [bool(one.trouble) for one in inbox.letters.values()] == [True, False]
    assert (box.poll(inbox), dovecot.count()) == (0, 1)


@pytest.mark.dovecot
def test_there_is_an_end_to_what_a_server_says_whatever_size_it_told(dovecot: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop3_mailbox, "TALK_BYTES", 500)
    monkeypatch.setattr(poplib.POP3, "list", lambda self, which=None: (b"+OK", [b"1 10"], 5))
    dovecot.deliver(b"Subject: long\r\n\r\n" + b"x\r\n" * 2000)
    with pytest.raises(MailboxError, match="an answer of more than 1500 bytes"):
        dovecot.open(max_size_bytes=1000).poll(InboxBook())


@pytest.mark.dovecot
def test_a_wrong_password_and_a_strange_certificate_are_told_without_secrets(dovecot: Server) -> None:
    with pytest.raises(MailboxRefused, match="certificate"):
        create(dovecot.url, MailboxOptions()).poll(InboxBook())
    dovecot.url = dovecot.url.replace(dovecot.password, "canary")
    with pytest.raises(MailboxRefused, match=r"does not let pop@desk\.test in") as caught:
        dovecot.open().poll(InboxBook())
    assert "canary" not in str(caught.value)


@pytest.mark.dovecot
def test_the_mails_of_another_user_or_server_are_others(dovecot: Server) -> None:
    """UIDLs are often small numbers: a mailbox that moved would be taken for known."""
    dovecot.deliver(mail(1))
    here = list(dovecot.open().census())
    dovecot.url = dovecot.url.replace("127.0.0.1", "localhost")
    there = list(dovecot.open().census())

    assert len(here) == len(there) == 1
    assert here != there


@pytest.mark.parametrize("options", [{"folders": ("A",)}, {"processed": "Done"}, {"token": lambda force: "t"}])
def test_what_pop3_has_not_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        create("pop3s://u:p@host", MailboxOptions(**options))


@pytest.mark.dovecot
def test_what_is_read_only_is_not_deleted(dovecot: Server) -> None:
    dovecot.deliver(mail(1))
    box = dovecot.open(options={"delete": "true"}, read_only=True)

    assert box.poll(InboxBook()) == 1
    assert dovecot.count() == 1
    assert box.capabilities.keeps
