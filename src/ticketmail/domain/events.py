"""Mail events: what the host is told. Stable ``event_id``, at least once."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ticketmail.domain.received import (
    Acknowledge,
    Author,
    CalendarNote,
    DeliveryFact,
    Participant,
    Reaction,
    ReceivedFile,
    Signature,
    Thread,
)


class _Event(BaseModel):
    """``event_id`` never changes between redeliveries. ``at_us`` is UTC microseconds. ``reason`` is a sentence for people."""

    model_config = ConfigDict(frozen=True)

    event_id: UUID
    at_us: int
    tenant: str = ""
    ticket: str | None = None
    reason: str = ""

    @property
    @abstractmethod
    def about(self) -> UUID:
        """The mail that it is about: a submission's id, or an incoming mail's."""


class _MailEvent(_Event):
    """About a mail that the host handed over, and one of its recipients."""

    submission_id: UUID
    recipient: str
    recipient_number: int = 0
    lane: str = ""
    key: str | None = None
    message_id: str | None = None
    account: str | None = None

    @property
    def about(self) -> UUID:
        """The submission's id."""
        return self.submission_id


class MailSent(_MailEvent):
    """A mail server or provider has taken the mail for this recipient (a 250 to the final dot). Not: it was read."""

    kind: Literal["sent"] = "sent"
    remote_id: str | None = None


class MailDelayed(_MailEvent):
    """Not sent an hour after it was due, or will not be within the hour. ``eta_us`` None: no time can be given."""

    kind: Literal["delayed"] = "delayed"
    eta_us: int | None = None


class MailFailed(_MailEvent):
    """A fault of the recipient: this address will not take the mail. ``cause`` is a code of ``docs/reference/causes.md``."""

    kind: Literal["failed"] = "failed"
    cause: str = ""
    reply: str = ""


class MailDeadLettered(_MailEvent):
    """Ours, unclear or poison: it waits for a human (``ticketmail dead list``). The ticket should show it as not sent."""

    kind: Literal["dead"] = "dead"
    cause: str = ""
    reply: str = ""


class MailExpired(_MailEvent):
    """Its deadline passed before it could be sent; the lane lets such mail go (``digest``, ``bulk``)."""

    kind: Literal["expired"] = "expired"


class MailSuppressed(_MailEvent):
    """Not sent because the address is suppressed; ``reason`` says since when and why."""

    kind: Literal["suppressed"] = "suppressed"


class MailUnknown(_MailEvent):
    """The body was on its way and no final reply was read: it may have arrived. Evidence is being looked for."""

    kind: Literal["unknown"] = "unknown"


class MailCancelled(_MailEvent):
    """Cancelled or superseded before it began, or not wanted any more when it was to begin (``TicketMail(wanted=...)``)."""

    kind: Literal["cancelled"] = "cancelled"


class MailRefused(_MailEvent):
    """The mail service could not take it in from the broker: a lane that it does not know, a key used for other content
    (then the earlier mail of that id stands), ... The job is parked there (``ticketmail parked list``). ``cause`` is an
    error's code of ``docs/reference/errors.md``; ``recipient`` is the first one, '' where that could not be read."""

    kind: Literal["refused"] = "refused"
    cause: str = ""


class MailBounced(_MailEvent):
    """It was sent, and came back from behind the first server. ``status`` is an enhanced code (RFC 3463). ``inbound_id`` names
    the mail that said so."""

    kind: Literal["bounced"] = "bounced"
    cause: str = ""
    status: str = ""
    reply: str = ""
    inbound_id: UUID | None = None


class MailComplained(_MailEvent):
    """The recipient called it spam (RFC 5965): the address is suppressed."""

    kind: Literal["complained"] = "complained"
    inbound_id: UUID | None = None


class MailReceived(_Event):
    """A mail came in. Exactly one for each, whatever it is: ``category`` says what (``human``, ``auto_reply``,
    ``out_of_office``, ``bounce``, ...; only a human's words should reopen a ticket).

    ``ticket`` None: none is known. Open one, and say which: ``TicketMail.inbound.assign``. ``text`` is what the author wrote
    now, ``quoted`` and ``signature`` what was folded away; together they are all of it. ``html`` is safe to show: nothing
    remote, nothing active. ``content`` names larger texts kept apart (``text``, ``quoted``, ``html`` -> key), whose beginnings
    stand here. ``signatures`` are there where the mailbox checks them. ``risks`` are codes of docs/reference/inbound.md.
    ``replaces``: an earlier event of the same mail, read less well. Times are UTC microseconds; ids have no brackets; ``raw``
    is the key of the mail's own bytes.
    """

    kind: Literal["received"] = "received"
    inbound_id: UUID
    mailbox: str
    category: str = "human"
    category_evidence: tuple[str, ...] = ()
    thread: Thread = Thread()
    author: Author = Author()
    on_behalf_of: str = ""
    participants: tuple[Participant, ...] = ()
    envelope_to: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    quoted: str = ""
    signature: str = ""
    html: str = ""
    hidden_text: str = ""
    content: dict[str, str] = Field(default_factory=dict)
    attachments: tuple[ReceivedFile, ...] = ()
    deliveries: tuple[DeliveryFact, ...] = ()
    away_until_us: int | None = None
    calendar: CalendarNote | None = None
    reaction: Reaction | None = None
    acknowledge: Acknowledge = Acknowledge()
    signatures: tuple[Signature, ...] = ()
    risks: tuple[str, ...] = ()
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    date_us: int | None = None
    received_us: int = 0
    raw: str = ""
    size_bytes: int = 0
    tier: str = "full"
    defects: tuple[str, ...] = ()
    silent: bool = False
    rules: str = ""
    replaces: UUID | None = None

    @property
    def about(self) -> UUID:
        """The incoming mail's id."""
        return self.inbound_id


MailEvent = Annotated[
    MailSent
    | MailDelayed
    | MailFailed
    | MailDeadLettered
    | MailExpired
    | MailSuppressed
    | MailUnknown
    | MailCancelled
    | MailRefused
    | MailBounced
    | MailComplained
    | MailReceived,
    Field(discriminator="kind"),
]

_adapter: TypeAdapter[MailEvent] = TypeAdapter(MailEvent)


def event_from_json(data: bytes | str) -> MailEvent:
    """Read an event back from its JSON (``event.model_dump_json()``). Raises ``pydantic.ValidationError``."""
    return _adapter.validate_json(data)
