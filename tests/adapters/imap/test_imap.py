"""IMAP without loss: each mail once, whatever breaks between storing and marking; people's flags left alone."""

from __future__ import annotations

import os
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError

from ticketmail.adapters.imap import create
from ticketmail.adapters.imap import mailbox as imap_mailbox
from ticketmail.app.usecases.ingest import balance
from ticketmail.domain.errors import MailboxFolderError, MailboxFolderRefused, MailboxRefused, MailboxUnreachable, SettingsError
from ticketmail.domain.ports.receiving import Letter, MailboxOptions

pytestmark = pytest.mark.dovecot


class Dies(Exception):
    """A crash."""


class DyingInbox:
    """Stores, and then the process dies, once: between the commit and the mark."""

    def __init__(self, inbox: Any, after: int) -> None:
        self._inbox, self._left = inbox, after
        self.has, self.cursor, self.move_cursor = inbox.has, inbox.cursor, inbox.move_cursor

    def store(self, letters: list[Letter]) -> None:
        self._inbox.store(letters)
        self._left -= 1
        if not self._left:
            raise Dies


def test_what_is_there_is_stored_once_marked_and_left_unread(server: Any, open_box: Any, inbox: Any, stored: Any) -> None:
    for text in ("one", "two"):
        server.puts(text)
    box = open_box()

    assert (box.poll(inbox), box.poll(inbox)) == (2, 0)

    assert [view.size_bytes > 50 for view in stored()] == [True, True]
    assert server.subjects() == ["one", "two"]
    assert server.flags() == {b"$Ticketmail"}


def test_what_comes_later_is_found_by_its_uid_and_what_people_read_first_too(
    server: Any, open_box: Any, inbox: Any, stored: Any
) -> None:
    server.puts("one")
    box = open_box()
    box.poll(inbox)
    server.puts("two")
    server.client.select_folder("INBOX")
    server.client.add_flags(server.client.search(), [b"\\Seen"])

    assert box.poll(inbox) == 1
    assert len(stored()) == 2


def test_safe_mail_is_moved_where_settings_say(server: Any, open_box: Any, inbox: Any) -> None:
    server.puts("one")
    open_box(processed="Done").poll(inbox)

    assert server.subjects() == []
    assert server.subjects("Done") == ["one"]


@pytest.mark.parametrize("processed", ["", "Done"])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_crash_between_storing_and_marking_loses_and_doubles_nothing(
    server: Any, open_box: Any, inbox: Any, stored: Any, after: int, processed: str
) -> None:
    for text in ("one", "two", "three"):
        server.puts(text)
    with pytest.raises(Dies):
        open_box(processed=processed).poll(DyingInbox(inbox, after))
    assert server.subjects() == ["one", "three", "two"]

    open_box(processed=processed).poll(inbox)

    assert len(stored()) == 3
    assert server.subjects("Done" if processed else "INBOX") == ["one", "three", "two"]


def test_new_uids_for_the_same_mails_are_met_by_their_content(server: Any, open_box: Any, inbox: Any, stored: Any) -> None:
    """A restored or migrated mailbox: UIDVALIDITY changes, and everything looks new."""
    server.client.create_folder("Desk")
    server.puts("one", "Desk")
    open_box(folders=("Desk",)).poll(inbox)
    server.client.delete_folder("Desk")
    server.client.create_folder("Desk")
    server.puts("one", "Desk")
    server.puts("two", "Desk")

    assert open_box(folders=("Desk",)).poll(inbox) == 2
    assert len({view.source.split(";")[1] for view in stored()}) == 2


def test_several_folders_are_read(server: Any, open_box: Any, inbox: Any, stored: Any) -> None:
    server.client.create_folder("Übergabe & mehr")
    server.puts("one")
    server.puts("two", "Übergabe & mehr")

    assert open_box(folders=("INBOX", "Übergabe & mehr")).poll(inbox) == 2


def test_of_a_mail_that_is_too_large_the_header_comes_and_it_stays(server: Any, open_box: Any, inbox: Any, spool: Any) -> None:
    server.puts("x" * 500)
    open_box(max_size_bytes=300).poll(inbox)

    (item,) = spool.ledger.take(5, 60)
    assert item.content.startswith(b"X-Ticketmail-Too-Large: ")
    assert b"\r\nSubject: xxx" in item.content


def test_only_the_last_days_are_read_at_the_first_contact(server: Any, open_box: Any, inbox: Any) -> None:
    import datetime

    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=30)
    server.client.append("INBOX", b"Subject: old\r\n\r\nx\r\n", msg_time=long_ago)
    server.puts("new")

    assert open_box(history_s=7 * 86_400.0).poll(inbox) == 1


def test_a_new_mail_ends_the_wait_at_once(server: Any, open_box: Any, inbox: Any) -> None:
    box = open_box()
    box.poll(inbox)
    waited: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        assert box.wait(30)
        waited.append(time.monotonic() - began)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)  # as long as it takes to begin waiting; a mail before that is found as well
    server.puts("one")
    thread.join(20)

    assert waited
    assert waited[0] < 5
    assert box.poll(inbox) == 1


def test_a_mail_that_came_between_the_look_and_the_wait_ends_it_at_once(server: Any, open_box: Any, inbox: Any) -> None:
    box = open_box()
    box.poll(inbox)
    server.puts("one")

    began = time.monotonic()
    assert box.wait(30)
    assert time.monotonic() - began < 20
    assert box.poll(inbox) == 1


def test_a_wait_ends_by_itself_and_the_connection_lives(open_box: Any, inbox: Any) -> None:
    box = open_box()

    assert not box.wait(0.2)
    assert box.poll(inbox) == 0


def test_a_connection_that_is_cut_while_it_waits_raises_and_the_next_call_opens_another(open_box: Any, inbox: Any) -> None:
    box = open_box()
    box.poll(inbox)
    threading.Timer(0.3, box.abort).start()

    with pytest.raises(MailboxUnreachable):
        box.wait(30)
    box.close()
    assert box.poll(inbox) == 0


def test_the_balance_names_what_the_ledger_does_not_have(server: Any, open_box: Any, inbox: Any, spool: Any) -> None:
    server.puts("one")
    box = open_box()
    box.poll(inbox)
    assert balance(spool.ledger, "help", "", box).is_whole
    server.puts("two")

    sheet = balance(spool.ledger, "help", "", open_box())

    assert (sheet.on_server, len(sheet.missing), sheet.is_whole) == (2, 1, False)
    assert "1 of these are not in the ledger" in sheet.sentence


def test_tls_is_checked_and_a_wrong_password_is_told_as_such(server: Any, inbox: Any) -> None:
    tls = urlsplit(os.environ["TICKETMAIL_TEST_DOVECOT_TLS"])
    url = f"imaps://{quote('queue@desk.test', safe='')}:{server.password}@{tls.netloc}"
    good = create(url, MailboxOptions(ca_file=os.environ["TICKETMAIL_TEST_DOVECOT_CA"]))
    assert good.poll(inbox) == 0
    good.close()

    with pytest.raises(MailboxRefused, match="certificate"):
        create(url, MailboxOptions()).poll(inbox)
    with pytest.raises(MailboxRefused, match=r"does not let queue@desk\.test in") as caught:
        create(
            server.url.replace(server.password, "wrong"), MailboxOptions(ca_file=os.environ["TICKETMAIL_TEST_DOVECOT_CA"])
        ).poll(inbox)
    assert "wrong" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named_with_those_that_are_and_keeps_no_other_waiting(
    server: Any, open_box: Any, inbox: Any, stored: Any
) -> None:
    server.client.create_folder("Form")
    server.puts("one")
    server.puts("two", "Form")
    box = open_box(folders=("INBOX", "Nowhere", "Form"))

    with pytest.raises(MailboxFolderRefused, match=r"'Nowhere' cannot be opened: .*; it sees: .*'INBOX'") as told:
        box.poll(inbox)

    assert told.value.came == 2
    assert [view.source.split(";")[0] for view in stored()] == ["INBOX", "Form"]
    assert not box.wait(0.05), "the connection is good"


def test_a_mail_that_breaks_the_connection_each_time_is_told_and_keeps_no_other_waiting(
    server: Any, open_box: Any, inbox: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.puts("poison")
    server.puts("good")
    fetch, poison = IMAPClient.fetch, server.client.search()[0]

    def breaks(self: Any, uids: Any, what: Any) -> Any:
        if what == ["BODY.PEEK[]"] and uids == [poison]:
            raise IMAPClientAbortError("socket error: EOF")
        return fetch(self, uids, what)

    monkeypatch.setattr(IMAPClient, "fetch", breaks)
    box = open_box()
    for _ in range(2):
        with pytest.raises(MailboxUnreachable):
            box.poll(inbox)
        box.close()

    assert box.poll(inbox) == 2
    assert [view.size_bytes > 0 for view in stored()] == [False, True]


def test_mail_that_cannot_be_moved_is_stored_and_moved_once_it_can(
    server: Any, open_box: Any, inbox: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_mailbox, "BATCH", 2)
    for number in range(5):
        server.puts(f"mail {number}")
    box = open_box(processed="no/../way")
    for came in (5, 0):
        with pytest.raises(MailboxFolderError, match=r"are stored and cannot be moved to 'no/\.\./way'.*nothing is lost") as told:
            box.poll(inbox)
        assert told.value.came == came
    assert len(stored()) == 5

    assert open_box(processed="Processed").poll(inbox) == 0
    assert (server.subjects(), len(server.subjects("Processed")), len(stored())) == ([], 5, 5)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("imaps://host", {"folders": ("INBOX\r\nA1 DELETE INBOX",)}),
        ("imaps://host", {"processed": "INBOX"}),
        ("imaps://imap.gmail.com", {"folders": ("INBOX", "[Gmail]/All Mail")}),
        ("imaps://", {}),
        ("imaps://host/INBOX", {}),
    ],
)
def test_settings_that_would_harm_are_refused(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        create(url, MailboxOptions(**options))


@pytest.mark.parametrize("processed", ["", "Processed"])
def test_what_is_read_only_is_left_as_it_is(server: Any, open_box: Any, inbox: Any, stored: Any, processed: str) -> None:
    server.puts("one")
    server.puts("two")
    box = open_box(read_only=True, processed=processed)

    assert box.poll(inbox) == 2
    assert box.poll(inbox) == 0
    assert len(stored()) == 2
    assert (server.subjects(), server.flags()) == (["one", "two"], set())
    assert not server.client.folder_exists("Processed")
    assert box.capabilities.keeps
    assert len(list(box.census())) == 2


def test_the_same_uids_at_another_server_are_other_mails(server: Any, open_box: Any, inbox: Any, stored: Any) -> None:
    server.puts("one")
    assert open_box().poll(inbox) == 1

    assert open_box(host="localhost").poll(inbox) == 1, "stored, and known by its content afterwards"
    assert len(stored()) == 2
