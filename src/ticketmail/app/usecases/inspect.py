"""What would become of a mail, as values for programs: everything that was read, the class, and the evidence. Changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ticketmail.domain.inbound.attachments import notes_of
from ticketmail.domain.inbound.content import MailBody
from ticketmail.domain.inbound.lines import Kind
from ticketmail.domain.inbound.mail import ParsedMail, Part, Party
from ticketmail.domain.inbound.passed_on import original_sender
from ticketmail.domain.inbound.reading import FileNote
from ticketmail.domain.inbound.small_talk import calendar_of, reaction_of
from ticketmail.domain.inbound.verdict import AUTOMATIC, DeliveryReport, Evidence, MailKind, Verdict

#: The words of mail systems for reports. ``delayed`` is what was not delivered in time, whether or not a server goes on trying.
KINDS: Final = {
    MailKind.BOUNCE: "bounce",
    MailKind.DELAY: "delayed",
    MailKind.DELIVERED: "delivered",
    MailKind.COMPLAINT: "complaint",
    MailKind.RECEIPT: "mdn",
    MailKind.REPORT: "report",
    MailKind.AUTO_REPLY: "autoreply",
    MailKind.OUT_OF_OFFICE: "autoreply",
}


def described(mail: ParsedMail, verdict: Verdict, body: MailBody) -> dict[str, Any]:
    """All that ``ticketmail inspect --json`` says of a mail. ``docs/how-to/inspect-a-mail.md`` says what each field means."""
    notes = {part.path: note for part, note in zip(mail.attachments, notes_of(mail, body.images), strict=True)}
    return {
        "class": verdict.kind.value,
        "tier": mail.tier.value,
        **_header(mail),
        "text": mail.text,
        "html": mail.html,
        "attachments": [_attachment(one, notes) for one in _in_order((*mail.attachments, *mail.reports))],
        **_apart(mail, body),
        "auto": verdict.kind in AUTOMATIC,
        "list": verdict.bulk,
        "no_autoreply": not verdict.may_answer,
        "back_on": verdict.back_on.isoformat() if verdict.back_on else None,
        **_reported(verdict.kind, verdict.report),
        "evidence": [_evidence(one) for one in verdict.evidence],
        "against": [_evidence(one) for one in verdict.against],
        "defects": [{"code": one.code, "evidence": one.evidence, "path": one.path} for one in mail.defects],
    }


def _header(mail: ParsedMail) -> dict[str, Any]:
    return {
        "subject": mail.subject,
        "from": _parties(mail.senders),
        "to": _parties(mail.to),
        "cc": _parties(mail.cc),
        "bcc": _parties(mail.bcc),
        "reply_to": _parties(mail.reply_to),
        "date": mail.date.isoformat() if mail.date else None,
        "message_id": mail.message_id,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
    }


def _parties(parties: Iterable[Party]) -> list[dict[str, str]]:
    return [{"name": one.name, "address": one.address} for one in parties]


def _in_order(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: [int(number) for number in part.path.split(".") if number])


def _apart(mail: ParsedMail, body: MailBody) -> dict[str, Any]:
    """The body taken apart, and what the mail is besides a letter."""
    original, calendar, reaction = original_sender(mail, body.segments), calendar_of(mail), reaction_of(mail)
    return {
        "visible": body.top,
        "note": body.note,
        "folded": [
            {"kind": one.kind.value, "rule": one.rule, "text": one.text} for one in body.segments if one.kind is not Kind.VISIBLE
        ],
        "safe_html": body.html,
        "links": [{"target": one.target, "text": one.text, "deceptive": one.is_deceptive} for one in body.links],
        "blocked": [{"what": one.what, "value": one.value} for one in body.blocked],
        "flags": list(body.flags),
        "on_behalf_of": original.address if original else None,
        "calendar": calendar.model_dump() if calendar else None,
        "reaction": reaction.model_dump() if reaction else None,
    }


def _attachment(part: Part, notes: Mapping[str, FileNote]) -> dict[str, Any]:
    note = notes.get(part.path, FileNote())
    return {
        "filename": part.filename,
        "content_type": part.content_type.value,
        "sniffed": part.sniffed,
        "size": part.size_bytes,
        "sha256": hashlib.sha256(part.content).hexdigest(),
        "content_id": part.content_id,
        "origin": part.origin,
        "safe_name": note.name,
        "flags": list(note.flags),
    }


def _reported(kind: MailKind, report: DeliveryReport | None) -> dict[str, Any]:
    late = report is not None and report.expired
    told = {"kind": "delayed" if late else KINDS.get(kind, "not_bounce"), "expired": late}
    told["is_bounce"] = kind in (MailKind.BOUNCE, MailKind.DELAY)
    if report is None:
        return {**told, "recipients": [], "permanent": None, "statuses": [], "failures": [], "returned": None}
    return {
        **told,
        "recipients": [one.address for one in report.recipients],
        "permanent": report.permanent,
        "statuses": sorted({one.status for one in report.recipients if one.status}),
        "failures": [
            {
                "address": one.address,
                "original": one.original,
                "action": one.action,
                "status": one.status,
                "permanent": one.permanent,
                "diagnostic": one.diagnostic,
            }
            for one in report.recipients
        ],
        "feedback_type": report.feedback_type,
        "returned": {
            "message_id": report.returned.message_id,
            "envelope_id": report.returned.envelope_id,
            "subject": report.returned.subject,
            "recipients": list(report.returned.recipients),
        },
    }


def _evidence(one: Evidence) -> dict[str, str]:
    return {"rule": one.rule, "found": one.found, "source": one.source}
