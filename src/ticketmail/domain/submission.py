"""Submission: a message, its envelope, and what the host wants of it. Receipt: what the host gets at once."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.envelope import Envelope
from ticketmail.domain.message import Message
from ticketmail.domain.refusal import Value, as_refusal

__all__ = ["Receipt", "Submission", "as_refusal"]


class Submission(Value):
    """What a host hands over.

    ``key`` makes it idempotent for 90 days within its ``tenant`` (same key and content: the first receipt again; other
    content: ``KeyReused``). ``ticket`` orders and threads. ``lane`` says how urgent. ``not_before`` and ``deadline`` are
    aware datetimes; a deadline not given is the lane's. ``supersedes`` is the key of an earlier submission that need not
    be sent any more if it has not begun. ``per_recipient`` makes single mails, each showing one recipient.
    ``envelope`` overrides the envelope that the message implies. Limits in bytes (UTF-8): tenant 64, key 200, ticket
    255, lane 64.
    """

    model_config = ConfigDict(frozen=True)

    message: Message
    envelope: Envelope | None = None
    ticket: str | None = None
    lane: str = "reply"
    tenant: str = ""
    key: str | None = None
    not_before: datetime | None = None
    deadline: datetime | None = None
    supersedes: str | None = None
    per_recipient: bool = False


class Receipt(BaseModel):
    """The hand-over's answer, computed and never read back.

    ``durable`` says where the mail is safe now: ``spool``, ``broker``, ``outbox``, or ``transaction`` (it becomes safe with
    the host's own commit). ``eta_us`` is when it should leave (UTC microseconds) or None, and then ``eta_unknown`` says why.
    ``new`` is False if the key had been accepted before with the same content. ``parts`` are the ids of the single mails of a
    ``per_recipient`` submission, in the envelope's order (``submission_id`` is the first), else ().
    """

    model_config = ConfigDict(frozen=True)

    submission_id: UUID
    durable: Literal["spool", "broker", "outbox", "transaction"]
    message_id: str | None = None
    eta_us: int | None = None
    eta_unknown: str = ""
    new: bool = True
    parts: tuple[UUID, ...] = ()
