"""Mail events: what the host is told. Stable ``event_id``, at least once."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _MailEvent(BaseModel):
    """``event_id`` never changes between redeliveries. ``at_us`` is UTC microseconds. ``reason`` is a sentence for people."""

    model_config = ConfigDict(frozen=True)

    event_id: UUID
    at_us: int
    submission_id: UUID
    recipient: str
    recipient_number: int = 0
    tenant: str = ""
    ticket: str | None = None
    lane: str = ""
    key: str | None = None
    message_id: str | None = None
    account: str | None = None
    reason: str = ""


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
    """Cancelled or superseded before it began."""

    kind: Literal["cancelled"] = "cancelled"


MailEvent = Annotated[
    MailSent | MailDelayed | MailFailed | MailDeadLettered | MailExpired | MailSuppressed | MailUnknown | MailCancelled,
    Field(discriminator="kind"),
]

_adapter: TypeAdapter[MailEvent] = TypeAdapter(MailEvent)


def event_from_json(data: bytes | str) -> MailEvent:
    """Read an event back from its JSON (``event.model_dump_json()``). Raises ``pydantic.ValidationError``."""
    return _adapter.validate_json(data)
