"""The contract of handlers holds for a host as the how-to shows it, and finds each fault that it is there for."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ticketmail import Message, TicketMail
from ticketmail.domain.events import MailReceived, MailSent
from ticketmail.testing import memory
from ticketmail.testing.handler_contract import HandlerContract, coming


class SmallDesk:
    """A host on SQLite: events, tickets and notes in one transaction, the number said when it is committed."""

    def __init__(self, mail: TicketMail) -> None:
        self.mail = mail
        self.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.database.execute("CREATE TABLE seen (event_id TEXT PRIMARY KEY, ticket TEXT)")
        self.database.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, ticket TEXT, text TEXT)")
        self.fails = False

    def handle(self, event: Any) -> None:
        if not isinstance(event, MailReceived) or event.thread.handling == "refuse":
            return
        self.database.execute("BEGIN IMMEDIATE")
        try:
            ticket = self.store(event)
            if self.fails:
                self.fails = False
                raise ConnectionError("the database is away")
            self.database.execute("COMMIT")
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.mail.inbound.assign(event, ticket)

    def store(self, event: MailReceived) -> str:
        """The note, once; on a new ticket if it has none. Told again, the same ticket."""
        seen = self.database.execute("SELECT ticket FROM seen WHERE event_id = ?", (str(event.event_id),)).fetchone()
        if seen:
            return str(seen[0])
        ticket = event.ticket or str(self.database.execute("SELECT 4711 + count(DISTINCT ticket) FROM note").fetchone()[0])
        self.database.execute("INSERT INTO seen VALUES (?, ?)", (str(event.event_id), ticket))
        self.database.execute("INSERT INTO note (ticket, text) VALUES (?, ?)", (ticket, event.text))
        return ticket

    def notes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for ticket, text in self.database.execute("SELECT ticket, text FROM note ORDER BY id"):
            found.setdefault(ticket, []).append(text)
        return found

    def fail_next(self) -> None:
        self.fails = True


class TestSmallDesk(HandlerContract):
    @pytest.fixture
    def desk(self, mail: TicketMail) -> Iterator[SmallDesk]:
        desk = SmallDesk(mail)
        with closing(desk.database):
            yield desk

    @pytest.fixture
    def handler(self, desk: Any) -> Any:
        return desk.handle


class Forgetful(SmallDesk):
    """Does not remember what it has handled."""

    def store(self, event: MailReceived) -> str:
        self.database.execute("DELETE FROM seen")
        return super().store(event)


class Silent(SmallDesk):
    """Says no number."""

    def handle(self, event: Any) -> None:
        self.mail = TicketMail(spool="memory://", accounts={"a": "null://"})
        super().handle(event)
        self.mail.close()


class Swallowing(SmallDesk):
    """Logs what goes wrong."""

    def handle(self, event: Any) -> None:
        try:
            super().handle(event)
        except ConnectionError:
            return


class Careless(SmallDesk):
    """Keeps half of what failed."""

    def handle(self, event: Any) -> None:
        if self.fails and isinstance(event, MailReceived):
            self.database.execute("INSERT INTO note (ticket, text) VALUES ('4711', ?)", (event.text,))
        super().handle(event)


class Welcoming(SmallDesk):
    """Opens a ticket whatever the mailbox says."""

    def handle(self, event: Any) -> None:
        if isinstance(event, MailReceived):
            event = event.model_copy(update={"thread": event.thread.model_copy(update={"handling": "open"})})
        super().handle(event)


class Chatty(SmallDesk):
    """Answers machines."""

    def handle(self, event: Any) -> None:
        super().handle(event)
        if isinstance(event, MailReceived):
            to = event.author.address
            self.mail.submit(Message(sender="help@example.com", to=to, subject="We have it", text="Thank you."))


class Fussy(SmallDesk):
    """Knows one kind of event."""

    def handle(self, event: Any) -> None:
        event.thread  # noqa: B018 (an event about sent mail has none)
        super().handle(event)


@pytest.mark.parametrize(
    ("desk", "test"),
    [
        (Forgetful, "test_what_is_told_twice_is_handled_once"),
        (Silent, "test_a_new_mail_becomes_one_ticket_whose_number_is_said"),
        (Swallowing, "test_a_failure_is_raised_leaves_nothing_and_the_event_comes_again"),
        (Careless, "test_a_failure_is_raised_leaves_nothing_and_the_event_comes_again"),
        (Welcoming, "test_what_the_mailbox_refuses_opens_nothing"),
        (Chatty, "test_a_machine_is_not_answered"),
        (Fussy, "test_events_about_mail_that_was_sent_are_taken"),
    ],
)
def test_each_fault_is_found(desk: type[SmallDesk], test: str) -> None:
    with memory(mailboxes={"help": {"addresses": ["help@example.com"]}}) as sandbox:
        faulty, rule = desk(sandbox.mail), getattr(HandlerContract(), test)
        given = {"mail": sandbox.mail, "desk": faulty, "handler": faulty.handle, "kind": MailSent}
        given |= {"comes": coming(sandbox.mail, faulty.handle), "later": lambda: sandbox.clock.advance(3600)}
        with closing(faulty.database), pytest.raises((AssertionError, AttributeError)):
            rule(**{name: given[name] for name in inspect.signature(rule).parameters})
