"""A watched mailbox: comes back after every trouble, says once what is wrong, ends when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ticketmail.app import watching
from ticketmail.app.watching import Watcher
from ticketmail.app.wiring.timing import SystemClock
from ticketmail.domain.errors import MailboxFolderRefused, MailboxRefused, MailboxUnreachable
from ticketmail.domain.ports.receiving import Mailbox
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.mailboxes import FakeMailbox, FakeMailServer, InboxBook, mail


def until(fact: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.005)


class Opening:
    """Opens mailboxes; raises what stands in ``errors`` first."""

    def __init__(self, server: FakeMailServer) -> None:
        self.server = server
        self.errors: list[Exception] = []
        self.opened: list[FakeMailbox] = []

    def __call__(self) -> Mailbox:
        if self.errors:
            raise self.errors.pop(0)
        self.opened.append(FakeMailbox(self.server))
        return self.opened[-1]


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Opening:
    monkeypatch.setattr(watching, "BACK_OFF_S", (0.01, 0.02))
    return Opening(FakeMailServer())


@pytest.fixture
def inbox() -> InboxBook:
    return InboxBook()


@pytest.fixture
def watch(opening: Opening, inbox: InboxBook) -> Iterator[Callable[..., Watcher]]:
    made: list[Watcher] = []

    def start(**options: Any) -> Watcher:
        how = {"poll_s": 30.0, "clock": SystemClock(), "chance": lambda: 0.0, **options}
        made.append(Watcher("help", opening, inbox, **how))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


def test_mail_is_handed_over_as_it_comes(opening: Opening, inbox: InboxBook, watch: Any) -> None:
    opening.server.deliver(mail(1))
    watcher = watch()
    until(lambda: len(inbox.letters) == 1)
    opening.server.deliver(mail(2))
    until(lambda: len(inbox.letters) == 2)

    assert (watcher.health.trouble, watcher.health.stored) == ("", 2)


def test_after_a_trouble_it_opens_anew_and_goes_on(opening: Opening, inbox: InboxBook, watch: Any) -> None:
    opening.errors = [MailboxUnreachable("down"), MailboxUnreachable("down"), OSError("odd")]
    for number in range(3):
        opening.server.deliver(mail(number))
    opening.server.cut_after = 1
    watcher = watch()
    until(lambda: len(inbox.letters) == 3)

    until(lambda: not watcher.health.trouble)
    assert len(opening.opened) == 1, "it opens its connection again by itself, and knows what it has tried"
    assert inbox.stored_twice == []


def test_a_spool_that_is_sick_is_waited_for(opening: Opening, inbox: InboxBook, watch: Any) -> None:
    opening.server.deliver(mail(1))
    inbox.fail_at = 0
    watch()

    until(lambda: len(inbox.letters) == 1)


def test_a_login_that_is_refused_is_told_as_such(opening: Opening, watch: Any) -> None:
    opening.errors = [MailboxRefused("wrong password")] * 1000
    watcher = watch()
    until(lambda: watcher.health.failures > 1)

    assert watcher.health.refused
    assert "wrong password" in watcher.health.trouble


def test_a_folder_that_fails_is_told_and_news_of_the_others_are_waited_for(
    opening: Opening, inbox: InboxBook, monkeypatch: pytest.MonkeyPatch, watch: Any
) -> None:
    class Partly(FakeMailbox):
        gone = True

        def poll(self, inbox: Any) -> int:
            came = super().poll(inbox)
            if self.gone:
                error = MailboxFolderRefused("The folder 'Form' is gone.")
                error.came = came
                raise error
            return came

    box = Partly(opening.server)
    monkeypatch.setattr(Opening, "__call__", lambda self: self.opened.append(box) or box)
    opening.server.deliver(mail(1))
    watcher = watch()
    until(lambda: watcher.health.waiting)
    assert (watcher.health.refused, watcher.health.stored, watcher.health.well_us) == (True, 1, None)
    assert "'Form'" in watcher.health.trouble

    opening.server.deliver(mail(2))
    until(lambda: watcher.health.stored == 2)
    box.gone = False
    opening.server.deliver(mail(3))
    until(lambda: not watcher.health.trouble)

    assert len(opening.opened) == 1, "one connection all the time"


def test_a_call_that_hangs_is_cut_by_the_watchdog(opening: Opening, inbox: InboxBook, watch: Any) -> None:
    clock, hanging, cut = FakeClock(), threading.Event(), threading.Event()

    class Hanging(FakeMailbox):
        def poll(self, inbox: Any) -> int:
            if cut.is_set():
                return super().poll(inbox)
            hanging.set()
            assert cut.wait(20)
            raise MailboxUnreachable("cut")

        def abort(self) -> None:
            cut.set()

    box = Hanging(opening.server)
    watcher = Watcher("help", lambda: box, inbox, poll_s=30.0, clock=clock, chance=lambda: 0.0)
    opening.server.deliver(mail(1))
    watcher.start()
    assert hanging.wait(20)
    watcher.look()
    assert not cut.is_set()
    clock.advance(watching.HANGS_S + 1)
    watcher.look()

    until(lambda: len(inbox.letters) == 1)
    watcher.stop()


def test_it_ends_at_once_though_it_waits(opening: Opening, watch: Any) -> None:
    watcher = watch(poll_s=3600.0)
    until(lambda: watcher.health.waiting)
    began = time.monotonic()
    watcher.stop()

    assert time.monotonic() - began < 5


def test_a_wait_that_hangs_is_cut_and_the_mail_is_fetched_all_the_same(opening: Opening, inbox: InboxBook, watch: Any) -> None:
    clock = FakeClock()
    opening.server.hangs = True
    watcher = watch(clock=clock, poll_s=60.0)
    until(lambda: watcher.health.waiting)
    opening.server.deliver(mail(1))
    watcher.look()
    assert not inbox.letters

    clock.advance(60.0 + watching.HANGS_S + 1)
    watcher.look()

    until(lambda: len(inbox.letters) == 1)
    opening.server.hangs = False
    watcher.stop()
