"""The class of a mail, with everything that speaks for it; and whether an automatic answer may be sent.

In this order: what machines say to machines (reports), what the header says, what the words say. Classification comes before
threading and is total: every mail has exactly one class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ticketmail.domain.inbound.absences import AWAY_TEXTS, CHALLENGES, PROGRAM_SUBJECTS, WEAK_SUBJECTS, day_of_return
from ticketmail.domain.inbound.automatic import Means, spoken
from ticketmail.domain.inbound.bounce import is_daemon, read_refusal, read_report, readable
from ticketmail.domain.inbound.complaint import read_complaint, read_receipt
from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.ses import read_notification
from ticketmail.domain.inbound.verdict import AUTOMATIC, DeliveryReport, Evidence, MailKind, Verdict
from ticketmail.domain.inbound.wordings import MAX_SUBJECT, first_found, untagged

#: Nobody reads answers there. RFC 2142; Zammad's send_no_auto_response_reg_exp.
_UNREAD: Final = re.compile(
    r"(?:mailer-daemon|postmaster|abuse|root|daemon|no[-_.]?reply.*|do[-_.]?not[-_.]?reply.*|.*[-_.+]no[-_.]?reply|bounces?(?:[-+].*)?)$",
    re.IGNORECASE,
)
_ANSWER: Final = re.compile(
    r"^\s*(?:(?:re|aw|sv|antw|vs|odp|ynt|ref|回复|答复|返信)(?:\[\d+\])?\s*[:：]\s*|\[[^\]]{1,60}\]\s*)+", re.IGNORECASE
)
_DMARC: Final = re.compile(r"^report domain:\s*\S+\s+submitter:", re.IGNORECASE)
_METHOD: Final = re.compile(r"^METHOD:([A-Za-z]+)", re.MULTILINE)
_READ: Final = 4_000


@dataclass(frozen=True, slots=True)
class Ours:
    """What is our side: the addresses of our mailboxes (lower-case), and a test for message ids that only we can have made."""

    addresses: frozenset[str] = frozenset()
    is_ours: Callable[[str], bool] = field(default=lambda _id: False)


def classify(mail: ParsedMail, ours: Ours = Ours()) -> Verdict:
    """What the mail is. Pure and total."""
    said = list(spoken(mail))
    kind, evidence, report = _kind(mail, ours, said)
    bulk = [one for means, one in said if means is Means.BULK]
    away = kind is MailKind.OUT_OF_OFFICE
    return Verdict(
        kind=kind,
        automatic=kind in AUTOMATIC,
        bulk=bool(bulk),
        evidence=(*evidence, *bulk),
        against=tuple(_against(mail, ours, kind, evidence, said)),
        report=report,
        back_on=day_of_return(mail.subject[:MAX_SUBJECT], readable(mail), mail.date) if away else None,
    )


_Found = tuple[MailKind, tuple[Evidence, ...], DeliveryReport | None]


def _kind(mail: ParsedMail, ours: Ours, said: list[tuple[Means, Evidence]]) -> _Found:
    if mail.message_id and ours.is_ours(mail.message_id):
        return MailKind.OWN, (Evidence("own-message-id", mail.message_id, "the MAC in it is ours"),), None
    for read in (read_complaint, read_refusal, read_receipt):
        if report := read(mail):
            return report.kind, report.evidence, report
    for rule in (_administrative, _challenge):
        if found := rule(mail):
            return *found, None
    for read in (read_notification, read_report):
        if report := read(mail):
            return report.kind, report.evidence, report
    return *_written(mail, said), None


def _administrative(mail: ParsedMail) -> tuple[MailKind, tuple[Evidence, ...]] | None:
    """DMARC (RFC 7489 section 7.2.1.1) and TLS (RFC 8460 section 5.3) reports."""
    if _DMARC.match(untagged(mail.subject)):
        return MailKind.REPORT, (Evidence("dmarc-report", mail.subject[:80], "RFC 7489 section 7.2.1.1"),)
    if mail.has("tls-report-domain") or mail.content_type.parameters.get("report-type", "").lower() == "tlsrpt":
        return MailKind.REPORT, (Evidence("tls-report", mail.value("tls-report-domain"), "RFC 8460 section 5.3"),)
    return None


def _challenge(mail: ParsedMail) -> tuple[MailKind, tuple[Evidence, ...]] | None:
    """A filter that asks for proof, if a machine sent it, or its report says so."""
    found = first_found(" ".join(part.text or "" for part in mail.reports)[:_READ], CHALLENGES)
    if found is None and (is_daemon(mail) or any(means in _MACHINES for means, _ in spoken(mail))):
        found = first_found(readable(mail)[:_READ], CHALLENGES)
    return (MailKind.CHALLENGE, (Evidence(found[0].name, found[1], found[0].source),)) if found else None


_MACHINES: Final = (Means.REPLY, Means.MACHINE)


def _written(mail: ParsedMail, said: list[tuple[Means, Evidence]]) -> tuple[MailKind, tuple[Evidence, ...]]:
    """Written by somebody, or by a program in somebody's name."""
    proof = [one for means, one in said if means in (Means.AWAY, Means.REPLY, Means.MACHINE)]
    null = mail.value("return-path").strip() == "<>"
    words = list(_words(mail, supported=bool(proof) or null))
    away = any(means is Means.AWAY for means, _ in said) or any(one.rule == "away-text" for one in words)
    if proof or words:
        return _automatic(said, away, bool(words)), (*proof, *words)
    if null:
        return MailKind.AUTO_REPLY, (Evidence("null-return-path", "<>", "RFC 3834 section 3.3"),)
    if calendar := _calendar(mail):
        return MailKind.CALENDAR, (calendar,)
    if any(means is Means.BULK for means, _ in said):
        return MailKind.BULK, ()
    return MailKind.HUMAN, ()


def _automatic(said: list[tuple[Means, Evidence]], away: bool, worded: bool) -> MailKind:
    if away:
        return MailKind.OUT_OF_OFFICE
    replied = worded or any(means is Means.REPLY for means, _ in said)
    return MailKind.AUTO_REPLY if replied else MailKind.NOTICE


def _words(mail: ParsedMail, *, supported: bool) -> Iterator[Evidence]:
    """Words of automatic answers. A program's subject counts alone; a weaker one, or one behind ``Re:``, if the text says the
    same."""
    stated = untagged(mail.subject).lstrip()
    stripped = _ANSWER.sub("", stated)
    program = first_found(stripped, PROGRAM_SUBJECTS)
    subject = program or first_found(stripped, WEAK_SUBJECTS)
    text = first_found(readable(mail)[:_READ], AWAY_TEXTS) if subject or supported else None
    alone = program is not None and stripped == stated
    if subject is not None and (alone or text or supported):
        yield Evidence(subject[0].name, subject[1], subject[0].source)
    if text is not None and (subject or supported):
        yield Evidence(text[0].name, text[1], text[0].source)


def _calendar(mail: ParsedMail) -> Evidence | None:
    for part in mail.attachments:
        if part.content_type.value == "text/calendar" or part.sniffed == "text/calendar":
            stated = part.content_type.parameters.get("method", "")
            method = stated or (match[1] if (match := _METHOD.search(part.content[:_READ].decode("ascii", "replace"))) else "")
            if method.upper() in ("REPLY", "COUNTER", "REFRESH", "DECLINECOUNTER"):
                return Evidence("calendar", f"METHOD:{method.upper()}", "RFC 5546 section 1.4")
    return None


def _against(
    mail: ParsedMail, ours: Ours, kind: MailKind, evidence: tuple[Evidence, ...], said: list[tuple[Means, Evidence]]
) -> Iterator[Evidence]:
    """All that forbids an automatic answer (RFC 3834 section 2)."""
    if kind in AUTOMATIC or kind is MailKind.CALENDAR:
        yield Evidence("automatic", kind.value, "RFC 3834 section 2")
        yield from evidence
    yield from (one for means, one in said if means in (Means.BULK, Means.QUIET))
    if daemon := is_daemon(mail):
        yield daemon
    sender = mail.sender
    if sender is None or sender.strict is None:
        yield Evidence("no-sender", sender.address[:80] if sender else "", "nobody to answer to")
    elif _UNREAD.fullmatch(sender.address.partition("@")[0]):
        yield Evidence("unread-address", sender.address, "RFC 2142; Zammad")
    elif sender.key in ours.addresses:
        yield Evidence("own-address", sender.address, "a mailbox of ours")
