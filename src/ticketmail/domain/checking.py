"""What is refused at the hand-over: whatever could not become a mail, named by field, before anything is stored. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from ticketmail.domain.address import Address
from ticketmail.domain.envelope import Envelope
from ticketmail.domain.errors import InvalidMessage, InvalidSubmission, NaiveTime, TooLarge
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.submission import Submission
from ticketmail.domain.texts import check_header, check_id, check_line, check_name, check_text

#: UTF-8 bytes, as the tables hold them.
TENANT_BYTES: Final = 64
KEY_BYTES: Final = 200
TICKET_BYTES: Final = 255
LANE_BYTES: Final = 64
FILENAME_BYTES: Final = 255
_FAR_YEAR: Final = 2200  #: a time of an offset or a lifetime more must be a datetime still
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:\s*;[\x20-\x7e]{1,200})?")


def check(
    submission: Submission,
    *,
    lanes: Mapping[str, object] | Iterable[str],
    max_size_bytes: int | None = None,
    now_us: int | None = None,
) -> Envelope:
    """Refuse what cannot become a mail; give the envelope that it will travel in.

    ``lanes`` are the known ones. ``max_size_bytes`` is compared with each attachment and with all content together (the
    encoded mail is larger: whoever renders checks again). ``now_us`` (UTC microseconds): a deadline before it is refused.

    Raises:
        InvalidSubmission kin: the first thing that is wrong; ``field`` names it (``message.to[2]``), the text says the remedy.
    """
    _check_names(submission, tuple(lanes))
    _check_times(submission, now_us)
    check_message(submission.message, max_size_bytes=max_size_bytes)
    return envelope_of(submission)


def check_message(message: Message, *, max_size_bytes: int | None = None) -> None:
    """The part of :func:`check` that needs nothing but the message. Raises InvalidSubmission kin."""
    if message.sender is None:
        raise InvalidMessage("is missing.", field="message.sender", remedy="Set the From address.")
    _check_content(message)
    check_line(message.subject, "message.subject")
    for at, (name, value) in enumerate(message.headers):
        check_header(name, value, f"message.headers[{at}]")
    _check_ids(message)
    _check_attachments(message.attachments, max_size_bytes)
    if max_size_bytes is not None and (size := content_bytes(message)) > max_size_bytes:
        raise TooLarge(
            f"holds {size} bytes.", field="message", remedy=f"At most {max_size_bytes} bytes are allowed. Send a link."
        )


def envelope_of(submission: Submission) -> Envelope:
    """The envelope given, or the one that the message implies: each mailbox once, in the order To, Cc, Bcc.

    Raises:
        InvalidMessage: nobody to send to.
    """
    message = submission.message
    if submission.envelope is not None:
        recipients, return_path = submission.envelope.recipients, submission.envelope.return_path
        field = "envelope.recipients"
    else:
        recipients, return_path = message.to + message.cc + message.bcc, message.sender
        field = "message.to"
    if not recipients:
        raise InvalidMessage("there is no recipient.", field=field, remedy="Set to, cc or bcc.")
    once: dict[str, Address] = {}
    for recipient in recipients:
        once.setdefault(recipient.key, recipient)
    return Envelope(return_path=return_path, recipients=tuple(once.values()))


def content_bytes(message: Message) -> int:
    """Bytes of all content as it was given, before any encoding."""
    texts = sum(len(text.encode()) for text in (message.text, message.html) if text)
    return texts + len(message.raw or b"") + sum(_attachment_bytes(one) for one in message.attachments)


def _attachment_bytes(attachment: Attachment) -> int:
    return len(attachment.content) if attachment.content is not None else attachment.size_bytes or 0


def _check_names(submission: Submission, lanes: tuple[str, ...]) -> None:
    if submission.tenant:
        check_name(submission.tenant, "tenant", limit_bytes=TENANT_BYTES)
    for field, value, limit in (
        ("key", submission.key, KEY_BYTES),
        ("ticket", submission.ticket, TICKET_BYTES),
        ("supersedes", submission.supersedes, KEY_BYTES),
    ):
        if value is not None:
            check_name(value, field, limit_bytes=limit)
    if submission.supersedes is not None and submission.supersedes == submission.key:
        raise InvalidSubmission("is the key of this very submission.", field="supersedes", remedy="Name the earlier one's key.")
    check_name(submission.lane, "lane", limit_bytes=LANE_BYTES)
    if submission.lane not in lanes:
        near = difflib.get_close_matches(submission.lane, lanes, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(lanes))}."
        raise InvalidSubmission(f"there is no lane {submission.lane!r}.", field="lane", remedy=remedy)


def _check_times(submission: Submission, now_us: int | None) -> None:
    for field, moment in (("not_before", submission.not_before), ("deadline", submission.deadline)):
        if moment is not None and moment.utcoffset() is None:
            remedy = "Pass an aware datetime, such as datetime.now(UTC) + timedelta(hours=1)."
            raise NaiveTime("has no offset, so it could be any hour.", field=field, remedy=remedy)
        if moment is not None and not 1970 <= moment.year < _FAR_YEAR:
            remedy = f"Give a time before the year {_FAR_YEAR}, or none."
            raise InvalidSubmission(f"lies in the year {moment.year}.", field=field, remedy=remedy)
    deadline = submission.deadline
    if deadline is None:
        return
    if submission.not_before is not None and deadline <= submission.not_before:
        raise InvalidSubmission("is not after not_before.", field="deadline", remedy="Give a later deadline, or none.")
    if now_us is not None and (deadline - _EPOCH) // timedelta(microseconds=1) <= now_us:
        raise InvalidSubmission("has passed already.", field="deadline", remedy="Give a later deadline, or none.")


def _check_content(message: Message) -> None:
    structured = message.text is not None or message.html is not None or message.attachments
    if message.raw is not None:
        if not message.raw:
            raise InvalidMessage("is empty.", field="message.raw", remedy="Pass a whole mail, header and body.")
        if structured:
            remedy = "Put all content into raw, or leave raw out."
            raise InvalidMessage("stands beside text, html or attachments.", field="message.raw", remedy=remedy)
        return
    if not structured:
        raise InvalidMessage("there is no content.", field="message.text", remedy="Set text, html or raw.")
    for field, text in (("message.text", message.text), ("message.html", message.html)):
        if text is not None:
            check_text(text, field)


def _check_ids(message: Message) -> None:
    if message.message_id is not None:
        check_id(message.message_id, "message.message_id", whole=True)
    if message.in_reply_to is not None:
        check_id(message.in_reply_to, "message.in_reply_to")
    for at, one in enumerate(message.references):
        check_id(one, f"message.references[{at}]")


def _check_attachments(attachments: tuple[Attachment, ...], max_size_bytes: int | None) -> None:
    seen: set[str] = set()
    for at, attachment in enumerate(attachments):
        field = f"message.attachments[{at}]"
        _check_attachment(attachment, field, max_size_bytes)
        if attachment.content_id is None:
            continue
        ident = attachment.content_id.strip("<>")
        if ident in seen:
            remedy = "Give each inline image an id of its own."
            raise InvalidMessage(f"{ident!r} was used before.", field=f"{field}.content_id", remedy=remedy)
        seen.add(ident)


def _check_attachment(attachment: Attachment, field: str, max_size_bytes: int | None) -> None:
    given = sum(one is not None for one in (attachment.content, attachment.blob, attachment.reference))
    if given != 1:
        remedy = "Set exactly one of content, blob and reference."
        raise InvalidMessage(f"has {given} sources of content.", field=field, remedy=remedy)
    if not attachment.filename.strip():
        raise InvalidMessage("is empty.", field=f"{field}.filename", remedy="Give the file a name.")
    check_line(attachment.filename, f"{field}.filename")
    if (size := len(attachment.filename.encode())) > FILENAME_BYTES:
        remedy = f"Use at most {FILENAME_BYTES} bytes (UTF-8)."
        raise InvalidMessage(f"has {size} bytes.", field=f"{field}.filename", remedy=remedy)
    if attachment.reference is not None:
        check_line(attachment.reference, f"{field}.reference")
    if attachment.content_id is not None:
        check_id(attachment.content_id, f"{field}.content_id")
    if not _TYPE.fullmatch(attachment.content_type.strip()):
        remedy = "Use type/subtype, such as application/pdf."
        raise InvalidMessage(f"{attachment.content_type[:80]!a} is no type.", field=f"{field}.content_type", remedy=remedy)
    if max_size_bytes is not None and (size := _attachment_bytes(attachment)) > max_size_bytes:
        remedy = f"At most {max_size_bytes} bytes are allowed. Send a link, or raise max_size where the mail server takes more."
        raise TooLarge(f"holds {size} bytes.", field=field, remedy=remedy)
