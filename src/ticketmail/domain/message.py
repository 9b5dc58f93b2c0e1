"""Message: what is to be read. Structured until a gateway takes it, or ready MIME bytes that are never re-serialised."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, field_validator

from ticketmail.domain.address import Address
from ticketmail.domain.refusal import Value


class Attachment(Value):
    """A file that travels with a message.

    Exactly one of ``content`` (bytes), ``blob`` (a hash in the blob store; set by the library when it moves large content
    out) or ``reference`` (a name that the worker hands to the host's fetcher) is set. ``content_id`` makes it an inline
    image that HTML shows as ``cid:...``. ``size_bytes`` is the decoded size, None if unknown (references).
    ``app.facade`` offers ``Attachment`` from a path or stream: those are read at submit.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    filename: str
    content_type: str = "application/octet-stream"
    content: bytes | None = Field(default=None, repr=False)
    blob: str | None = None
    reference: str | None = None
    content_id: str | None = None
    size_bytes: int | None = None


class Message(Value):
    """One mail, without its envelope.

    ``sender`` is the From header. ``to``, ``cc``, ``bcc`` accept one address or several. At least one of ``text`` and
    ``html`` is set, or ``raw``: ready MIME bytes, checked but never re-serialised; our own headers go in front.
    ``headers`` are extra headers; names that the library sets itself are refused. ``message_id``, ``in_reply_to`` and
    ``references`` are the host's own ids with or without angle brackets; where the host sets them, they win.

    Raises:
        InvalidSubmission kin: a field of the wrong type, an address that is none. What only shows when it is handed over
            (no recipient, forged headers) is refused there.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    text: str | None = Field(default=None, repr=False)
    html: str | None = Field(default=None, repr=False)
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    raw: bytes | None = Field(default=None, repr=False)

    @field_validator("to", "cc", "bcc", "reply_to", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, Address)) else value

    @field_validator("headers", mode="before")
    @classmethod
    def _mapping_or_pairs(cls, value: Any) -> Any:
        return tuple(value.items()) if hasattr(value, "items") else value
