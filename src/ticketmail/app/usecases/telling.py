"""The mail event that a decision calls for, and an outcome in words."""

from __future__ import annotations

from ticketmail.domain.events import (
    MailCancelled,
    MailDeadLettered,
    MailDelayed,
    MailEvent,
    MailExpired,
    MailFailed,
    MailSent,
    MailSuppressed,
    MailUnknown,
)
from ticketmail.domain.ids import event_id
from ticketmail.domain.outbound.deciding import Decision
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Refused, Taken, Unclear
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail

_NAMES = {Taken: "taken", Refused: "refused", NotReached: "not-reached", Unclear: "unclear"}


def events_of(
    mail: ClaimedMail, delivery: ClaimedDelivery, decision: Decision, *, now_us: int, account: str, reply: str, remote_id: str
) -> tuple[MailEvent, ...]:
    """None or one. Its id depends on the claim alone, so that a repeated record tells nothing twice."""
    if not decision.tell:
        return ()
    shared = {
        "event_id": event_id(mail.submission_id, delivery.number, decision.tell, delivery.fence),
        "at_us": now_us,
        "submission_id": mail.submission_id,
        "recipient": delivery.recipient,
        "recipient_number": delivery.number,
        "tenant": mail.tenant,
        "ticket": mail.ticket,
        "lane": mail.lane,
        "key": mail.key,
        "message_id": mail.message_id,
        "account": account or None,
        "reason": decision.reason,
    }
    match decision.tell:
        case "sent":
            return (MailSent(**shared, remote_id=remote_id or None),)
        case "delayed":
            return (MailDelayed(**shared, eta_us=decision.due_us),)
        case "failed":
            return (MailFailed(**shared, cause=decision.cause, reply=reply),)
        case "dead":
            return (MailDeadLettered(**shared, cause=decision.cause, reply=reply),)
        case "expired":
            return (MailExpired(**shared),)
        case "suppressed":
            return (MailSuppressed(**shared),)
        case "cancelled":
            return (MailCancelled(**shared),)
    return (MailUnknown(**shared),)


def name_of(outcome: Outcome | None) -> str:
    """An outcome's name in the spool; '' for none."""
    return _NAMES[type(outcome)] if outcome is not None else ""


def words_of(outcome: Outcome | None) -> tuple[str, str]:
    """The other side's line and its id for the mail."""
    match outcome:
        case Taken(remote_id=remote_id, reply=reply):
            return str(reply) if reply is not None else "", remote_id
        case Refused(reply=reply):
            return str(reply), ""
        case NotReached(error=error) | Unclear(error=error):
            return error, ""
    return "", ""


def phase_of(outcome: Outcome | None) -> str:
    """How far it came; '' for what was taken."""
    return outcome.phase.value if isinstance(outcome, (Refused, NotReached, Unclear)) else ""
