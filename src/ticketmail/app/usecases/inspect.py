"""What would become of a mail, as values for programs: everything that was read, the class, and the evidence. Changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from ticketmail.domain.inbound.mail import ParsedMail, Part, Party
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


def described(mail: ParsedMail, verdict: Verdict) -> dict[str, Any]:
    """All that ``ticketmail inspect --json`` says of a mail. ``docs/reference/inbound.md`` says what each field means."""
    return {
        "class": verdict.kind.value,
        "tier": mail.tier.value,
        **_header(mail),
        "text": mail.text,
        "html": mail.html,
        "attachments": [_attachment(one) for one in _in_order((*mail.attachments, *mail.reports))],
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


def _attachment(part: Part) -> dict[str, Any]:
    return {
        "filename": part.filename,
        "content_type": part.content_type.value,
        "sniffed": part.sniffed,
        "size": part.size_bytes,
        "sha256": hashlib.sha256(part.content).hexdigest(),
        "content_id": part.content_id,
        "origin": part.origin,
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
