"""A message as bytes. Our own serialiser: fast, deterministic, and nothing parsed is ever copied into a mail (CVE-2024-6923)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ticketmail.adapters.mime.headers import address_field, check, field, verified
from ticketmail.adapters.mime.parts import Part, attachment_part, content_of, multipart, text_part
from ticketmail.adapters.mime.raw import check_raw, names_of
from ticketmail.domain.errors import InvalidHeader, InvalidMessage
from ticketmail.domain.message import Message

#: Set by the library alone; refused among a message's extra ``headers``.
RESERVED = frozenset(
    [
        "from",
        "to",
        "cc",
        "bcc",
        "resent-bcc",
        "subject",
        "reply-to",
        "message-id",
        "in-reply-to",
        "references",
        "date",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
        "return-path",
        "received",
    ]
)


class MimeRenderer:
    """See :class:`ticketmail.domain.ports.rendering.Renderer`. Stateless, so thread-safe.

    A header among ``headers`` (ours) replaces what the message would have under that name, extra headers included.
    """

    def render(
        self, message: Message, *, headers: tuple[tuple[str, str], ...], contents: Mapping[str, bytes], seed: str
    ) -> bytes:
        if message.raw is not None:
            return _with_raw(message.raw, headers)
        fields = [(name, field(name, value)) for name, value in headers]
        _refuse_bcc(headers)
        ours = {name.lower() for name, _ in headers}
        fields += [(name, text) for name, text in _own_fields(message) if name.lower() not in ours]
        fields.append(("MIME-Version", "MIME-Version: 1.0\r\n"))
        block = verified("".join(text for _, text in fields), [name for name, _ in fields])
        body = _body(message, contents, seed)
        return b"".join([block, body.header.encode(), b"\r\n", body.body])

    def check_raw(self, raw: bytes) -> Message:
        return check_raw(raw)


def _own_fields(message: Message) -> list[tuple[str, str]]:
    fields = []
    if message.sender is not None:
        fields.append(("From", address_field("From", (message.sender,))))
    for name, addresses in (("To", message.to), ("Cc", message.cc), ("Reply-To", message.reply_to)):
        if addresses:
            fields.append((name, address_field(name, addresses)))
    if message.subject.strip():
        fields.append(("Subject", field("Subject", message.subject)))
    if message.message_id:
        fields.append(("Message-ID", field("Message-ID", _bracketed(message.message_id))))
    if message.in_reply_to:
        fields.append(("In-Reply-To", field("In-Reply-To", _bracketed(message.in_reply_to))))
    if message.references:
        fields.append(("References", field("References", " ".join(map(_bracketed, message.references)))))
    for name, value in message.headers:
        if name.lower() in RESERVED:
            raise InvalidHeader("is set by the library.", field=name, remedy="Use the message's own field for it.")
        fields.append((name, field(name, value)))
    return fields


def _bracketed(identifier: str) -> str:
    identifier = identifier.strip()
    return identifier if identifier.startswith("<") else f"<{identifier}>"


def _refuse_bcc(headers: tuple[tuple[str, str], ...]) -> None:
    for name, _ in headers:
        if name.lower() in ("bcc", "resent-bcc"):
            raise InvalidHeader("is never written into a mail.", field=name, remedy="Blind copies live in the envelope.")


def _body(message: Message, contents: Mapping[str, bytes], seed: str) -> Part:
    """mixed( alternative( text, related( html, inline… ) ), attachment… ), each level only where it has two parts."""
    inline = [item for item in message.attachments if item.content_id is not None and message.html is not None]
    loose = [item for item in message.attachments if item.content_id is None or message.html is None]
    bodies = [text_part(message.text, "plain")] if message.text is not None else []
    if message.html is not None:
        html = text_part(message.html, "html")
        shown = [html, *(attachment_part(item, content_of(item, contents)) for item in inline)]
        bodies.append(multipart("related", shown, f"{seed}r", parameters=' type="text/html";') if inline else html)
    if not bodies:
        raise InvalidMessage("has neither text nor html.", field="message", remedy="Set one of them, or raw.")
    body = multipart("alternative", bodies, f"{seed}a") if len(bodies) > 1 else bodies[0]
    if not loose:
        return body
    return multipart("mixed", [body, *(attachment_part(item, content_of(item, contents)) for item in loose)], f"{seed}m")


def _with_raw(raw: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Our headers in front of ready bytes; those the mail has itself (Message-ID, Date, …) are its own."""
    if not raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):
        raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    theirs = names_of(raw)
    if theirs & {"bcc", "resent-bcc"}:
        raise InvalidHeader("is in the ready mail.", field="Bcc", remedy="Remove it and name the recipient in the envelope.")
    _refuse_bcc(headers)
    for name, value in headers:
        check(name, value)
    ours = [(name, field(name, value)) for name, value in headers if name.lower() not in theirs]
    return verified("".join(text for _, text in ours), [name for name, _ in ours]) + raw
