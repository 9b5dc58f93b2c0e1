"""The event that an interpreted mail becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from ticketmail.app.usecases.ingest.interpret import Interpreted
from ticketmail.domain.events import MailReceived
from ticketmail.domain.inbound.mail import ParsedMail, Part
from ticketmail.domain.inbound.participants import author_of, participants_of
from ticketmail.domain.inbound.reading import RULES, FileNote
from ticketmail.domain.received import ReceivedFile, Thread

#: Fields of an event that hold text of a mail's body.
TEXTS: Final = ("text", "quoted", "signature", "html", "hidden_text")
_DEFECTS: Final = 50


def event_of(found: Interpreted, *, ident: UUID, now_us: int, keys: Sequence[str]) -> MailReceived:
    """Pure. ``keys`` are those of the attachments' bytes, in their order."""
    view, reading, mail = found.view, found.reading, found.reading.mail
    content = reading.content
    return MailReceived(
        event_id=ident,
        at_us=now_us,
        tenant=view.tenant,
        ticket=found.thread.ticket,
        reason=_reason(found.thread),
        inbound_id=view.inbound_id,
        mailbox=view.mailbox,
        category=found.category,
        category_evidence=reading.evidence,
        thread=found.thread,
        author=author_of(mail, found.proof),
        on_behalf_of=reading.on_behalf_of,
        participants=participants_of(mail, own=found.own, known=found.participants),
        envelope_to=view.envelope_to,
        subject=mail.subject,
        text=content.text,
        quoted=content.quoted,
        signature=content.signature,
        html=content.html,
        hidden_text=content.hidden,
        attachments=_files(mail, keys, reading.files),
        deliveries=tuple(one.fact() for one in found.subjects),
        away_until_us=reading.back_us,
        calendar=reading.calendar,
        reaction=reading.reaction,
        acknowledge=found.acknowledge,
        signatures=reading.signatures,
        risks=found.risks,
        message_id=mail.message_id or "",
        in_reply_to=mail.in_reply_to,
        date_us=int(mail.date.timestamp() * 1_000_000) if mail.date is not None else None,
        received_us=view.received_us,
        raw=view.raw,
        size_bytes=view.size_bytes,
        tier=mail.tier.value,
        defects=tuple(f"{one.code} {one.evidence}".strip()[:200] for one in mail.defects[:_DEFECTS]),
        silent=view.silent,
        rules=RULES,
        replaces=view.event_id,
    )


def ids_of(found: Interpreted) -> tuple[str, ...]:
    """Ids by which later mails may name this one."""
    return (found.reading.mail.message_id,) if found.reading.mail.message_id else ()


def _files(mail: ParsedMail, keys: Sequence[str], notes: Sequence[FileNote]) -> tuple[ReceivedFile, ...]:
    padded = [*notes, *[FileNote()] * (len(mail.attachments) - len(notes))]
    return tuple(_file(part, key, note) for part, key, note in zip(mail.attachments, keys, padded, strict=True))


def _file(part: Part, key: str, note: FileNote) -> ReceivedFile:
    return ReceivedFile(
        key=key,
        name=note.name or part.filename or "",
        content_type=part.content_type.value,
        sniffed=part.sniffed,
        size_bytes=part.size_bytes,
        content_id=part.content_id or "",
        inline=part.disposition == "inline",
        flags=note.flags,
    )


def _reason(thread: Thread) -> str:
    if thread.ticket is not None:
        detail = next((clue.detail for clue in thread.clues if clue.held and clue.rule == thread.rule), "")
        return f"It belongs to ticket {thread.ticket} ({thread.strength}): {detail}"
    if thread.related is not None:
        held = next((clue.detail for clue in reversed(thread.clues) if clue.rule == "policy" or not clue.held), "")
        return f"It is new, and related to ticket {thread.related}: {held}"
    return "It is new: nothing in it leads to a ticket."
