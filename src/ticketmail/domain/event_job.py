"""What travels to the host and back: mail events, and its word on those that it would not take. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import ValidationError

from ticketmail.domain.errors import InvalidJob
from ticketmail.domain.events import MailEvent, event_from_json
from ticketmail.domain.job import Parcel

__all__ = ["Answer", "Unreadable", "answer_from", "answer_parcel", "event_from", "event_parcel", "unreadable_parcel"]

_UPGRADE: Final = "Upgrade the older side: host and mail service do not understand one another."
_ERROR_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """The host's handler would not take the event that was told under ``fence``. ``error`` is what it raised."""

    event_id: UUID
    fence: int
    error: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The host could not understand ``body``, which came as an event. ``error`` says why."""

    body: bytes = field(repr=False)
    error: str


def event_parcel(event: MailEvent, fence: int) -> Parcel:
    """``event`` as a job, told under ``fence``. Its id is the event's: the same whenever it is told."""
    payload = {"event": json.loads(event.model_dump_json(exclude_defaults=True)) | {"kind": event.kind}, "fence": fence}
    return Parcel("event", event.event_id, event.at_us, payload)


def event_from(parcel: Parcel) -> tuple[MailEvent, int]:
    """The event of a job, and the fence that it was told under. Raises InvalidJob."""
    try:
        event = event_from_json(json.dumps(parcel.payload["event"]))
        fence = parcel.payload["fence"]
    except (ValidationError, KeyError, TypeError):
        raise InvalidJob("The job holds no event that can be read.", remedy=_UPGRADE) from None
    if not isinstance(fence, int) or isinstance(fence, bool):
        raise InvalidJob("The event's fence is no number.", remedy=_UPGRADE)
    return event, fence


def answer_parcel(answer: Answer, at_us: int) -> Parcel:
    """The host's word as a job; the same word on the same telling has the same id."""
    payload = {"event": answer.event_id.hex, "fence": answer.fence, "error": answer.error[:_ERROR_CHARS]}
    return Parcel("answer", uuid5(answer.event_id, f"answer:{answer.fence}"), at_us, payload)


def unreadable_parcel(unreadable: Unreadable, at_us: int) -> Parcel:
    """The bytes that the host could not understand, on their way back."""
    body = base64.b64encode(unreadable.body).decode("ascii")
    payload = {"body": body, "error": unreadable.error[:_ERROR_CHARS]}
    return Parcel("answer", uuid5(_UNREADABLE, body), at_us, payload)


#: UUIDv5 namespace of the ids of what cannot be read.
_UNREADABLE: Final = UUID("0e0f6b53-4f9e-5a77-8d0c-5b3c3c1f8a10")


def answer_from(parcel: Parcel) -> Answer | Unreadable:
    """The host's word of an ``answer`` job. Raises InvalidJob."""
    values: dict[str, Any] = dict(parcel.payload)
    error = values.get("error")
    try:
        if isinstance(error, str) and "body" in values:
            return Unreadable(base64.b64decode(values["body"], validate=True), error)
        if isinstance(error, str) and isinstance(values["fence"], int):
            return Answer(UUID(values["event"]), values["fence"], error)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        pass
    raise InvalidJob("The job holds no word on an event that can be read.", remedy=_UPGRADE)
