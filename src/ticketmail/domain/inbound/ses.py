"""Amazon SES tells of bounces in JSON; a topic of SNS may send that by mail, plain or within its own JSON.

Source: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import json
from typing import Any, Final

from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.statuses import status_in
from ticketmail.domain.inbound.verdict import DeliveryReport, Evidence, FailedRecipient, MailKind, ReturnedMail

_KINDS: Final = {
    "Bounce": (MailKind.BOUNCE, "bounce", "bouncedRecipients"),
    "Complaint": (MailKind.COMPLAINT, "complaint", "complainedRecipients"),
    "Delivery": (MailKind.DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": (MailKind.DELAY, "deliveryDelay", "delayedRecipients"),
}
_PERMANENT: Final = {"Permanent": True, "Transient": False}
MAX_TEXT: Final = 262_144


def read_notification(mail: ParsedMail) -> DeliveryReport | None:
    """The report that the mail's JSON is, None if it is something else."""
    told = _json_of((mail.text or "").lstrip())
    if isinstance(told.get("Message"), str):
        told = _json_of(told["Message"])
    kind, detail, recipients = _KINDS.get(str(told.get("notificationType") or told.get("eventType")), (None, "", ""))
    if kind is None or not isinstance(told.get("mail"), dict):
        return None
    body = told.get(detail) if isinstance(told.get(detail), dict) else {}
    named = body.get(recipients) if isinstance(body, dict) else None
    permanent = _PERMANENT.get(str(body.get("bounceType"))) if isinstance(body, dict) else None
    found = tuple(_recipient(one, permanent) for one in (named if isinstance(named, list) else [])[:200])
    evidence = Evidence("ses-notification", detail, "Amazon SES: notification contents")
    feedback = str(body.get("complaintFeedbackType", "")) if isinstance(body, dict) else ""
    return DeliveryReport(kind, found, _returned(told["mail"]), feedback_type=feedback, evidence=(evidence,))


def _json_of(text: str) -> dict[str, Any]:
    """The object that the text begins with; what follows is the topic's advice to people."""
    if not text.startswith("{") or len(text) > MAX_TEXT:
        return {}
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _recipient(one: object, permanent: bool | None) -> FailedRecipient:
    fields = one if isinstance(one, dict) else {"emailAddress": one}
    status = str(fields.get("status") or "")
    diagnostic = str(fields.get("diagnosticCode") or "")[:2000]
    action = str(fields.get("action") or "")
    address = str(fields.get("emailAddress") or "").strip("<> ")
    return FailedRecipient(
        address, action=action, status=status_in(diagnostic) or status, permanent=permanent, diagnostic=diagnostic
    )


def _returned(mail: dict[str, Any]) -> ReturnedMail:
    given = mail.get("headers")
    headers = tuple(
        (str(one.get("name")), str(one.get("value"))[:2000])
        for one in (given if isinstance(given, list) else [])[:200]
        if isinstance(one, dict)
    )
    destination = mail.get("destination")
    return ReturnedMail(
        message_id=str(mail.get("messageId") or "") or None,
        recipients=tuple(str(one) for one in (destination if isinstance(destination, list) else [])[:200]),
        headers=headers,
    )
