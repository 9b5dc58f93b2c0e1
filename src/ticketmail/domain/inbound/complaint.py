"""Complaints (RFC 5965 feedback reports, and providers' mails from before it) and receipts (RFC 8098)."""

from __future__ import annotations

from typing import Final

from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.returned import returned_mail
from ticketmail.domain.inbound.statuses import address_in, read_groups
from ticketmail.domain.inbound.verdict import DeliveryReport, Evidence, FailedRecipient, MailKind, ReturnedMail
from ticketmail.domain.inbound.wordings import untagged

_FEEDBACK: Final = "message/feedback-report"
_DISPOSITIONS: Final = ("message/disposition-notification", "message/global-disposition-notification")
#: Outlook.com's Junk Mail Reporting Program attaches the mail with these: https://sendersupport.olc.protection.outlook.com/snds/JMRP.aspx
_JUNK_MARKS: Final = ("x-hmxmroriginalrecipient", "x-ms-exchange-crosstenant-originalarrivaltime")


def read_complaint(mail: ParsedMail) -> DeliveryReport | None:
    """The complaint that the mail is, None if it is none."""
    declared = mail.content_type.parameters.get("report-type", "").lower() == "feedback-report"
    text = next((part.text or "" for part in mail.reports if part.content_type.value == _FEEDBACK), None)
    if text is None and not declared:
        return _junk_report(mail)
    groups = read_groups(text or "")
    feedback = groups.message.get("feedback-type", "").strip().lower()
    blamed = address_in(groups.message.get("original-rcpt-to", "")) or address_in(groups.message.get("removal-recipient", ""))
    evidence = Evidence("feedback-report", f"Feedback-Type: {feedback}", "RFC 5965")
    returned = returned_mail(mail)
    return DeliveryReport(
        MailKind.COMPLAINT, _complaining(blamed, returned), returned, feedback_type=feedback, evidence=(evidence,)
    )


def _junk_report(mail: ParsedMail) -> DeliveryReport | None:
    if not untagged(mail.subject).lower().startswith("complaint about message from"):
        return None
    inner = next(mail.nested(), None)
    if inner is None:
        return None
    blamed = address_in(inner.value(_JUNK_MARKS[0]))
    evidence = Evidence("junk-report", mail.subject[:80], "Outlook.com JMRP")
    returned = returned_mail(mail)
    return DeliveryReport(
        MailKind.COMPLAINT, _complaining(blamed, returned), returned, feedback_type="abuse", evidence=(evidence,)
    )


def _complaining(blamed: str, returned: ReturnedMail) -> tuple[FailedRecipient, ...]:
    """Who complains: the one that is named (a field that RFC 5965 section 3.2 leaves open), or the only one it was sent to."""
    named = [blamed] if "@" in blamed else list(returned.recipients)
    return (FailedRecipient(named[0]),) if len(named) == 1 else ()


def read_receipt(mail: ParsedMail) -> DeliveryReport | None:
    """The receipt that the mail is: displayed, deleted, refused (RFC 8098 section 3.2.6). None if it is none."""
    declared = mail.content_type.parameters.get("report-type", "").lower() == "disposition-notification"
    text = next((part.text or "" for part in mail.reports if part.content_type.value in _DISPOSITIONS), None)
    if text is None and not declared:
        return None
    groups = read_groups(text or "")
    fields = {**groups.message, **(groups.recipients[0] if groups.recipients else {})}
    reader = address_in(fields.get("original-recipient", "")) or address_in(fields.get("final-recipient", ""))
    recipients = (FailedRecipient(reader, action=fields.get("disposition", "")[:80]),) if reader else ()
    evidence = Evidence("disposition-notification", fields.get("disposition", "")[:80], "RFC 8098")
    returned = returned_mail(mail, message_id=fields.get("original-message-id", ""))
    return DeliveryReport(MailKind.RECEIPT, recipients, returned, evidence=(evidence,))
