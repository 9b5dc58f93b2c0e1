"""A host with one mailbox; mail from outside; events as its handler gets them."""

from __future__ import annotations

import uuid
from typing import Any

from injector import Module

from ticketmail import Message, TicketMail
from ticketmail.app.usecases.tell import Tell
from ticketmail.domain.events import MailReceived
from ticketmail.domain.ports.hosting import TicketState
from ticketmail.testing.reading import InlineReading


class Tickets:
    """What the host says of its tickets."""

    def __init__(self) -> None:
        self.said: dict[str, TicketState] = {}

    def look(self, *, tenant: str, ticket: str) -> TicketState | None:
        return self.said.get(ticket)


class Host:
    """A host, and the world that writes to it."""

    def __init__(self, spool: str, *overrides: Module, **mailbox: Any) -> None:
        self.tickets = Tickets()
        box = {"addresses": ["help@example.com"], **mailbox}
        settings = {"spool": spool, "accounts": {"a": "null://"}, "mailboxes": {"help": box, "sales": {}}}
        self.mail = TicketMail(settings=settings, tickets=self.tickets, overrides=[InlineReading(), *overrides])

    def answers(self, ticket: str, to: str | list[str] = "ann@example.net", **names: Any) -> Any:
        """The host writes; its receipt."""
        more = {name: names.pop(name) for name in ("in_reply_to",) if name in names}
        message = Message(sender="help@example.com", to=to, subject="Your printer", text="On its way.", **more)
        return self.mail.submit(message, ticket=ticket, **names)

    def gets(self, content: bytes, mailbox: str = "help", **names: Any) -> MailReceived:
        """A mail comes in and is told: the one event of it."""
        self.mail.inbound.receive(mailbox, content, **names)
        self.mail.inbound.settle()
        (event,) = [one for one in self.told() if one.kind == "received"]
        return event

    def told(self) -> list[Any]:
        """Events that the handler gets now."""
        found: list[Any] = []
        self.mail.injector.get(Tell).tell_due(found.append)
        return found


def letter(
    text: str = "Thanks, it works.", *, sender: str = "Ann <ann@example.net>", to: str = "help@example.com", **fields: str
) -> bytes:
    """A mail as it comes in. Header fields by name, underscores for hyphens."""
    head = {"From": sender, "To": to, "Subject": "Re: Your printer", "Message-ID": f"<{uuid.uuid4()}@example.net>"}
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join([*lines, "", text, ""]).encode()
