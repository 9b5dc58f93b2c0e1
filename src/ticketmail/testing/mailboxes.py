"""A mailbox in memory with faults, and the contract that every source of mail keeps.

An adapter's author subclasses ``MailboxContract`` and gives two fixtures::

    class TestMyMailbox(MailboxContract):
        @pytest.fixture
        def server(self):                      # a MailboxServer: the other side, empty
            ...
        @pytest.fixture
        def make_mailbox(self, server):        # a new source for that server; keyword arguments are MailboxOptions fields
            return lambda **options: create(server.url, MailboxOptions(**options))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pytest

from ticketmail.domain.errors import MailboxError, MailboxUnreachable, SpoolUnreachable
from ticketmail.domain.ports.receiving import Inbox, Letter, Mailbox, MailboxCapabilities, MailboxOptions

__all__ = ["FakeMailServer", "FakeMailbox", "InboxBook", "MailboxContract", "MailboxServer"]


class MailboxServer(Protocol):
    """The other side of a mailbox under test."""

    def deliver(self, content: bytes) -> None:
        """Somebody's mail arrives."""
        ...


class FakeMailServer:
    """A server with one folder. Thread-safe. ``cut_after`` letters the connection breaks once (None: never)."""

    def __init__(self) -> None:
        self.validity = 1
        self.mails: dict[int, bytes] = {}
        self.marked: set[int] = set()
        self.cut_after: int | None = None
        self.hangs = False
        self.came = threading.Condition()
        self._next = 1

    def deliver(self, content: bytes) -> None:
        """As the port says."""
        with self.came:
            self.mails[self._next] = content
            self._next += 1
            self.came.notify_all()

    def renew_uids(self) -> None:
        """Restored or migrated: the same mails under a new UIDVALIDITY, and nothing marked."""
        with self.came:
            self.validity += 1
            self.mails = dict(enumerate(self.mails.values(), 1))
            self._next = len(self.mails) + 1
            self.marked.clear()

    def fetch(self, uid: int) -> bytes:
        """Raises MailboxUnreachable where the connection is to break."""
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                self.cut_after = None
                raise MailboxUnreachable("The connection broke in the middle of a mail.", remedy="It is tried again.")
        return self.mails[uid]


class FakeMailbox:
    """``Mailbox`` on a ``FakeMailServer``: stored first, then marked, then the cursor."""

    def __init__(self, server: FakeMailServer, options: MailboxOptions | None = None) -> None:
        self.server = server
        self._aborted = threading.Event()

    @property
    def capabilities(self) -> MailboxCapabilities:
        return MailboxCapabilities(watches=True, keeps=True)

    def poll(self, inbox: Inbox) -> int:
        self._aborted.clear()
        came = 0
        validity, _, last = inbox.cursor("INBOX").partition(":")
        above = int(last) if validity == str(self.server.validity) else 0
        for uid in [uid for uid in sorted(self.server.mails) if uid > above]:
            key = self._key(uid)
            if not inbox.has([key]):
                inbox.store([Letter(key, self.server.fetch(uid))])
                came += 1
            self.server.marked.add(uid)
            inbox.move_cursor("INBOX", f"{self.server.validity}:{uid}")
        return came

    def wait(self, timeout_s: float) -> bool:
        with self.server.came:
            if self.server.hangs:
                self.server.came.wait_for(self._aborted.is_set)
            came = self.server.came.wait_for(lambda: self._aborted.is_set() or self._has_news(), timeout_s)
        if self._aborted.is_set():
            raise MailboxUnreachable("The connection was cut.", remedy="It is opened again.")
        return came

    def census(self) -> Iterator[str]:
        return iter([self._key(uid) for uid in sorted(self.server.mails)])

    def abort(self) -> None:
        self._aborted.set()
        with self.server.came:
            self.server.came.notify_all()

    def close(self) -> None:
        """Nothing is held."""

    def _key(self, uid: int) -> str:
        return f"INBOX;{self.server.validity};{uid}"

    def _has_news(self) -> bool:
        return any(uid not in self.server.marked for uid in self.server.mails)


class InboxBook:
    """An ``Inbox`` that remembers. ``fail_at`` the n-th letter from now on the spool is out of reach, once."""

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.cursors: dict[str, str] = {}
        self.fail_at: int | None = None
        self.stored_twice: list[str] = []

    def has(self, sources: Sequence[str]) -> frozenset[str]:
        """As the port says."""
        return frozenset(one for one in sources if one in self.letters)

    def store(self, letters: Sequence[Letter]) -> None:
        """As the port says."""
        for letter in letters:
            if self.fail_at is not None:
                self.fail_at -= 1
                if self.fail_at < 0:
                    self.fail_at = None
                    raise SpoolUnreachable("The spool is out of reach.")
            if letter.source in self.letters:
                self.stored_twice.append(letter.source)
            self.letters[letter.source] = letter

    def cursor(self, name: str) -> str:
        """As the port says."""
        return self.cursors.get(name, "")

    def move_cursor(self, name: str, value: str) -> None:
        """As the port says."""
        self.cursors[name] = value

    @property
    def subjects(self) -> list[bytes]:
        """First lines, sorted."""
        return sorted(letter.content.splitlines()[0] for letter in self.letters.values())


def mail(number: int) -> bytes:
    """A small one."""
    head = f"Subject: {number}\r\nFrom: ann@example.net\r\nMessage-ID: <{number}@example.net>\r\n"
    return head.encode() + "\r\nGrüße, 1 line\r\n.\r\n..dots\r\n".encode()


class MailboxContract:
    """See the module."""

    @pytest.fixture
    def server(self) -> MailboxServer:
        """Override me."""
        raise NotImplementedError("override the fixture server")

    @pytest.fixture
    def make_mailbox(self, server: MailboxServer) -> Callable[..., Mailbox]:
        """Override me."""
        raise NotImplementedError("override the fixture make_mailbox")

    @pytest.fixture
    def box(self, make_mailbox: Callable[..., Mailbox]) -> Iterator[Mailbox]:
        """One source."""
        made = make_mailbox()
        yield made
        made.close()

    @pytest.fixture
    def inbox(self) -> InboxBook:
        """What it hands over to."""
        return InboxBook()

    def test_what_is_there_is_handed_over_once(self, server: Any, box: Any, inbox: InboxBook) -> None:
        for number in range(3):
            server.deliver(mail(number))
        assert box.poll(inbox) == 3
        assert box.poll(inbox) == 0
        assert inbox.subjects == [b"Subject: 0", b"Subject: 1", b"Subject: 2"]

    def test_the_bytes_are_those_that_came(self, server: Any, box: Any, inbox: InboxBook) -> None:
        server.deliver(mail(1))
        box.poll(inbox)
        (letter,) = inbox.letters.values()
        assert letter.content.replace(b"\r\n", b"\n").rstrip() == mail(1).replace(b"\r\n", b"\n").rstrip()

    def test_what_comes_later_is_found(self, server: Any, box: Any, inbox: InboxBook) -> None:
        server.deliver(mail(1))
        box.poll(inbox)
        server.deliver(mail(2))
        assert box.poll(inbox) == 1

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_spool_that_fails_is_told_and_what_was_not_stored_comes_again(
        self, server: Any, make_mailbox: Any, inbox: InboxBook, at: int
    ) -> None:
        for number in range(3):
            server.deliver(mail(number))
        inbox.fail_at = at
        first = make_mailbox()
        with pytest.raises(SpoolUnreachable):
            first.poll(inbox)
        first.close()
        again = make_mailbox()
        again.poll(inbox)
        again.close()
        assert inbox.subjects == [b"Subject: 0", b"Subject: 1", b"Subject: 2"]
        assert inbox.stored_twice == []

    def test_another_one_for_the_same_place_knows_what_was_handed_over(
        self, server: Any, make_mailbox: Any, inbox: InboxBook
    ) -> None:
        server.deliver(mail(1))
        for _ in range(2):
            box = make_mailbox()
            box.poll(inbox)
            box.close()
        assert len(inbox.letters) == 1
        assert inbox.stored_twice == []

    def test_a_cursor_that_is_lost_hands_nothing_over_twice(self, server: Any, make_mailbox: Any, inbox: InboxBook) -> None:
        server.deliver(mail(1))
        first = make_mailbox()
        first.poll(inbox)
        first.close()
        inbox.cursors.clear()
        again = make_mailbox()
        assert again.poll(inbox) == 0
        again.close()
        assert inbox.stored_twice == []

    def test_the_census_is_what_the_ledger_knows(self, server: Any, box: Any, inbox: InboxBook) -> None:
        if not box.capabilities.keeps:
            pytest.skip("mail does not stay there, and it says so")
        server.deliver(mail(1))
        box.poll(inbox)
        assert set(box.census()) == set(inbox.letters)
        server.deliver(mail(2))
        assert len(set(box.census()) - set(inbox.letters)) == 1

    def test_a_wait_without_news_ends(self, box: Any, inbox: InboxBook) -> None:
        box.poll(inbox)
        assert not box.wait(0.1)

    def test_a_wait_is_ended_by_news(self, server: Any, box: Any, inbox: InboxBook) -> None:
        if not box.capabilities.watches:
            pytest.skip("it does not watch, and says so")
        box.poll(inbox)
        timer = threading.Timer(0.2, lambda: server.deliver(mail(1)))
        timer.start()
        assert box.wait(30)
        timer.join()
        assert box.poll(inbox) == 1

    def test_a_wait_is_cut_from_another_thread(self, box: Any, inbox: InboxBook) -> None:
        if not box.capabilities.watches:
            pytest.skip("it does not watch, and says so")
        box.poll(inbox)
        timer = threading.Timer(0.2, box.abort)
        timer.start()
        with pytest.raises(MailboxError):
            box.wait(30)
        timer.join()
        box.close()
        assert box.poll(inbox) == 0

    def test_closing_twice_is_closing_once_and_it_opens_again(self, server: Any, box: Any, inbox: InboxBook) -> None:
        box.close()
        box.close()
        server.deliver(mail(1))
        assert box.poll(inbox) == 1
