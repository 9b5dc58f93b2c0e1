"""What every host's handler of mail events keeps: once each, in order, nothing swallowed, the ticket's number said.

A host subclasses ``HandlerContract`` and gives two fixtures::

    class TestMyHandler(HandlerContract):
        @pytest.fixture
        def desk(self, mail):                  # the host behind the handler, empty; see ``Desk``
            ...
        @pytest.fixture
        def handler(self, desk):               # what ``mail.listen`` would be given
            return desk.handle

A host whose handler needs its own database overrides ``mail`` (a ``TicketMail`` with a mailbox ``help``) and ``later``, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pytest

from ticketmail.app.facade import TicketMail
from ticketmail.app.usecases.tell import Caller, Tell
from ticketmail.domain.events import MailDelayed, MailEvent, MailFailed, MailReceived, MailSent
from ticketmail.domain.ports.telling import TicketHandler
from ticketmail.domain.received import Thread
from ticketmail.domain.scope import Scope, ScopeKind
from ticketmail.testing.sandbox import Sandbox, memory

__all__ = ["Desk", "HandlerContract", "coming", "letter"]


class Desk(Protocol):
    """The host behind the handler under test."""

    def notes(self) -> Mapping[str, Sequence[str]]:
        """What customers wrote, by ticket number, oldest first: ``event.text`` of each."""
        ...

    def fail_next(self) -> None:
        """The next event that is handled fails, as late as it can: the database is away when it is to commit."""
        ...


def letter(text: str, *, ident: str = "", answers: str = "", **fields: str) -> bytes:
    """A customer's mail. ``ident`` and ``answers`` are Message-IDs without brackets, ``fields`` more of its header."""
    head = {"From": "Ann <ann@example.net>", "To": "help@example.com", "Subject": "Printer"}
    head |= {"Message-ID": f"<{ident or f'{uuid.uuid4()}@example.net'}>", **({"In-Reply-To": f"<{answers}>"} if answers else {})}
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "\r\n".join([*(f"{name}: {value}" for name, value in head.items()), "", text, ""]).encode()


def coming(mail: TicketMail, handler: TicketHandler) -> Callable[..., int]:
    """A way for mails to come in, be read and told; it says how many events ``handler`` took."""

    def come(*contents: bytes) -> int:
        for content in contents:
            mail.inbound.receive("help", content)
            mail.inbound.settle()
        return mail.injector.get(Tell).tell_due(handler)

    return come


class HandlerContract:
    """See the module."""

    @pytest.fixture
    def sandbox(self) -> Iterator[Sandbox]:
        """A ticketmail in memory, in time of its own."""
        with memory(mailboxes={"help": {"addresses": ["help@example.com"]}}) as made:
            yield made

    @pytest.fixture
    def mail(self, sandbox: Sandbox) -> TicketMail:
        """What the host embeds."""
        return sandbox.mail

    @pytest.fixture
    def later(self, sandbox: Sandbox) -> Callable[[], object]:
        """An hour passes: what failed is due again."""
        return lambda: sandbox.clock.advance(3600)

    @pytest.fixture
    def desk(self, mail: TicketMail) -> Desk:
        """Override me."""
        raise NotImplementedError("override the fixture desk")

    @pytest.fixture
    def handler(self, desk: Desk) -> TicketHandler:
        """Override me."""
        raise NotImplementedError("override the fixture handler")

    @pytest.fixture
    def comes(self, mail: TicketMail, handler: TicketHandler) -> Callable[..., int]:
        """See :func:`coming`."""
        return coming(mail, handler)

    def test_a_new_mail_becomes_one_ticket_whose_number_is_said(
        self, mail: TicketMail, desk: Desk, comes: Callable[..., int]
    ) -> None:
        assert comes(letter("It smokes.")) == 1
        ((ticket, notes),) = desk.notes().items()
        assert [note.strip() for note in notes] == ["It smokes."]
        assert [view.ticket for view in mail.inbound.find()] == [ticket], "say it: mail.inbound.assign(event, ticket)"

    def test_an_answer_to_it_is_on_the_same_ticket_after_it(self, desk: Desk, comes: Callable[..., int]) -> None:
        comes(letter("It smokes.", ident="1@example.net"))
        comes(letter("It burns.", ident="2@example.net", answers="1@example.net"))
        comes(letter("It is gone.", answers="2@example.net"))
        (notes,) = desk.notes().values()
        assert [note.strip() for note in notes] == ["It smokes.", "It burns.", "It is gone."]

    def test_what_is_told_twice_is_handled_once(self, mail: TicketMail, desk: Desk, handler: TicketHandler) -> None:
        told: list[Any] = []
        for text in ("It smokes.", "It burns."):
            mail.inbound.receive("help", letter(text))
        mail.inbound.settle()
        mail.injector.get(Tell).tell_due(told.append)
        for event in (*told, *told, told[0]):
            _call(handler, event)
        assert sorted(note.strip() for notes in desk.notes().values() for note in notes) == ["It burns.", "It smokes."]

    def test_a_failure_is_raised_leaves_nothing_and_the_event_comes_again(
        self, mail: TicketMail, desk: Desk, comes: Callable[..., int], handler: TicketHandler, later: Callable[[], object]
    ) -> None:
        desk.fail_next()
        assert comes(letter("It smokes.")) == 0, "an error that is swallowed loses a mail: let the handler raise"
        assert not any(desk.notes().values())
        later()
        assert mail.injector.get(Tell).tell_due(handler) == 1
        assert [[note.strip() for note in notes] for notes in desk.notes().values()] == [["It smokes."]]

    def test_what_the_mailbox_refuses_opens_nothing(self, mail: TicketMail, desk: Desk, handler: TicketHandler) -> None:
        event = _received(mail, letter("Buy now."))
        refused = event.model_copy(update={"thread": Thread(handling="refuse")})
        _call(handler, refused)
        assert not any(desk.notes().values())

    def test_a_machine_is_not_answered(self, mail: TicketMail, comes: Callable[..., int]) -> None:
        comes(letter("I am away.", Auto_Submitted="auto-replied"))
        assert not mail.spool.reading.find(Scope(kind=ScopeKind.ALL)), "answer by itself only if event.acknowledge.allowed"

    @pytest.mark.parametrize("kind", [MailSent, MailFailed, MailDelayed])
    def test_events_about_mail_that_was_sent_are_taken(
        self, handler: TicketHandler, kind: type[MailSent | MailFailed | MailDelayed]
    ) -> None:
        about: dict[str, Any] = {"submission_id": uuid.uuid4(), "recipient": "ann@example.net"}
        _call(handler, kind(event_id=uuid.uuid4(), at_us=1, ticket="4711", **about))


def _received(mail: TicketMail, content: bytes) -> MailReceived:
    told: list[Any] = []
    mail.inbound.receive("help", content)
    mail.inbound.settle()
    mail.injector.get(Tell).tell_due(told.append)
    (event,) = told
    assert isinstance(event, MailReceived)
    return event


def _call(handler: TicketHandler, event: MailEvent) -> None:
    with Caller(handler) as call:
        call(event)
