"""What a report says of our own mails: facts about deliveries, only where it is about a mail that we sent to that address.

A report is easily forged (reliability rules, T26): it counts only if it carries an id of ours, which leads to a mail, and names
an address that the mail went to, or is about the mail's only recipient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ticketmail.domain.events import MailBounced, MailComplained, MailEvent
from ticketmail.domain.ids import event_id
from ticketmail.domain.inbound.reading import Reading, Reported
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.outcome import Phase, Refused, Reply
from ticketmail.domain.outbound.suppression import SUPPRESSED_US, Suppression
from ticketmail.domain.ports.receiving import Feedback, InboundView, Ledger
from ticketmail.domain.received import DeliveryFact, Thread

#: Categories of mail that are reports, and the fact that each is.
FACTS = {"bounce": "bounced", "delay": "delayed", "delivered": "delivered", "complaint": "complained"}
#: Feedback in which nobody complains: a mail was called spam wrongly (RFC 5965 section 7.3), a signature failed (RFC 6591).
_NO_COMPLAINTS = {"not-spam", "auth-failure"}


@dataclass(frozen=True, slots=True)
class Report:
    """``kind`` is the fact, ``recipients`` what is said of each."""

    kind: str
    recipients: tuple[Reported, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One recipient of a report. ``submission_id`` None: no mail of ours to that address."""

    kind: str
    said: Reported
    submission_id: UUID | None = None
    number: int = 0
    address: str = ""
    lane: str = ""

    @property
    def fault(self) -> Fault | None:
        """What it amounts to; None where nothing failed for good."""
        if self.kind != "bounced" or self.said.permanent is False:
            return None
        code = int(self.said.status[0]) * 100 + 50 if self.said.status[:1] in ("4", "5") else 550
        return classify(Refused(Reply(code, self.said.diagnostic, self.said.status), Phase.RCPT))

    def fact(self) -> DeliveryFact:
        """As the mail's own event tells it."""
        return DeliveryFact(
            recipient=self.address or self.said.address,
            kind=self.kind,
            status=self.said.status,
            cause=self.fault.cause if self.fault is not None else "",
            reply=self.said.diagnostic[:500],
            submission_id=str(self.submission_id) if self.submission_id is not None else None,
            recipient_number=self.number if self.submission_id is not None else None,
        )


def report_of(reading: Reading) -> Report | None:
    """The report that a mail is; None if it is none, or says nothing of its recipient."""
    kind = FACTS.get(reading.category) if reading.feedback_type not in _NO_COMPLAINTS else None
    return Report(kind, reading.reported) if kind is not None else None


def about(report: Report | None, thread: Thread, ledger: Ledger) -> tuple[Subject, ...]:
    """Whom a report is about. Raises SpoolError kin."""
    if report is None:
        return ()
    if thread.submission_id is None:
        return tuple(Subject(report.kind, one) for one in report.recipients)
    submission_id = UUID(thread.submission_id)
    sent = list(ledger.deliveries(submission_id))
    if not report.recipients and len(sent) == 1:
        number, address, lane = sent[0]
        return (Subject(report.kind, Reported(address), submission_id, number, address, lane),)
    return tuple(_matched(report.kind, one, submission_id, sent) for one in report.recipients)


def _matched(kind: str, said: Reported, submission_id: UUID, sent: Sequence[tuple[int, str, str]]) -> Subject:
    named = {said.address.lower(), said.original.lower()}
    if kind == "bounced" and said.action == "delayed":  # one report may tell of both (RFC 3464 section 2.3.3)
        kind = "delayed"
    for number, address, lane in sent:
        if address in named:
            return Subject(kind, said, submission_id, number, address, lane)
    return Subject(kind, said)


def feedback(subject: Subject, view: InboundView, ticket: str | None, now_us: int) -> Feedback | None:
    """The fact as the spool keeps it, with the event and the suppression that follow; None if it is about nothing of ours."""
    if subject.submission_id is None:
        return None
    fault, said = subject.fault, subject.said
    reason = cause_of(fault.cause).sentence if fault is not None else _SENTENCES[subject.kind]
    return Feedback(
        submission_id=subject.submission_id,
        number=subject.number,
        kind=subject.kind,
        reason=reason,
        cause=fault.cause if fault is not None else "",
        reply=f"{said.status} {said.diagnostic}".strip(),
        event=_event(subject, view, ticket, now_us, reason),
        suppress=_suppression(subject, view, now_us),
    )


_SENTENCES = {
    "bounced": "It came back.",
    "delayed": "A server on its way still tries to deliver it.",
    "delivered": "A server on its way says that it was delivered.",
    "complained": "The recipient called it spam.",
}


def _event(subject: Subject, view: InboundView, ticket: str | None, now_us: int, reason: str) -> MailEvent | None:
    if subject.submission_id is None or subject.kind not in ("bounced", "complained"):
        return None
    common: dict[str, Any] = {
        "event_id": event_id(subject.submission_id, subject.number, subject.kind, 0),
        "at_us": now_us,
        "submission_id": subject.submission_id,
        "recipient": subject.address,
        "recipient_number": subject.number,
        "tenant": view.tenant,
        "ticket": ticket,
        "lane": subject.lane,
        "reason": reason,
        "inbound_id": view.inbound_id,
    }
    if subject.kind == "complained":
        return MailComplained(**common)
    cause = subject.fault.cause if subject.fault is not None else ""
    return MailBounced(**common, cause=cause, status=subject.said.status, reply=subject.said.diagnostic[:2000])


def _suppression(subject: Subject, view: InboundView, now_us: int) -> Suppression | None:
    """A complaint for good, a bounce where its cause says so."""
    evidence = f"incoming mail {view.inbound_id}: {subject.said.status} {subject.said.diagnostic}".strip()[:500]
    if subject.kind == "complained":
        return Suppression(subject.address, "complaint", evidence, now_us, None, view.tenant)
    if subject.fault is not None and subject.fault.suppress:
        return Suppression(subject.address, subject.fault.cause, evidence, now_us, now_us + SUPPRESSED_US, view.tenant)
    return None
