"""One mail read as a whole: parsed, classified, its body taken apart. A pure function of bytes and limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.attachments import notes_of
from ticketmail.domain.inbound.classify import classify
from ticketmail.domain.inbound.content import MailBody
from ticketmail.domain.inbound.limits import DEFAULT_LIMITS, MIB, ReadingLimits
from ticketmail.domain.inbound.lines import Folded, Kind
from ticketmail.domain.inbound.mail import ParsedMail, Tier
from ticketmail.domain.inbound.passed_on import original_sender
from ticketmail.domain.inbound.quoting import fold_text
from ticketmail.domain.inbound.reading import Content, Reading, Reported
from ticketmail.domain.inbound.small_talk import calendar_of, reaction_of
from ticketmail.domain.inbound.subjects import is_forward
from ticketmail.domain.inbound.verdict import Evidence, FailedRecipient, ReturnedMail
from ticketmail.domain.ticket import X_HEADER

_SHOWN_CHARS = 200
#: For a mail that ended a reader: enough to work with, little to choke on.
DEGRADED = replace(
    DEFAULT_LIMITS, parts=40, depth=5, attachments=10, decoded_bytes=16 * MIB, text_bytes=64 * 1024, html_bytes=0, nested_mails=1
)
#: For one that ended that reader too: the header.
MINIMAL = replace(DEFAULT_LIMITS, raw_bytes=0, header_bytes=64 * 1024, fields=200, addresses=20)
LIMITS: dict[Tier, ReadingLimits] = {Tier.FULL: DEFAULT_LIMITS, Tier.DEGRADED: DEGRADED, Tier.MINIMAL: MINIMAL}


def understand(raw: bytes, tier: Tier = Tier.FULL) -> Reading:
    """Read ``raw`` as far as ``tier`` allows. Never raises for what a mail is."""
    mail = parse(raw, LIMITS[tier])
    verdict = classify(mail)
    report = verdict.report
    back = datetime.combine(verdict.back_on, time(), UTC) if verdict.back_on is not None else None
    body = taken_apart(mail)
    reaction = reaction_of(mail)
    original = original_sender(mail, body.segments)
    return Reading(
        replace(mail, text_parts=(), html_parts=()),  # their texts are there; all else of them has been read
        content=_content(body),
        category=verdict.kind.value,
        evidence=tuple(_shown(one) for one in verdict.evidence),
        against=(*(_shown(one) for one in verdict.against), *(["reaction: a sign, not a letter"] if reaction else [])),
        reported=tuple(map(_reported, report.recipients)) if report is not None else (),
        returned=_returned(report.returned) if report is not None else (),
        feedback_type=report.feedback_type if report is not None else "",
        files=notes_of(mail, body.images),
        on_behalf_of=original.address if original is not None else "",
        calendar=calendar_of(mail),
        reaction=reaction,
        back_us=int(back.timestamp() * 1_000_000) if back is not None else None,
    )


def _reported(said: FailedRecipient) -> Reported:
    return Reported(said.address, said.original, said.action, said.status, said.permanent, said.diagnostic)


def _returned(mail: ReturnedMail) -> tuple[str, ...]:
    """Everything of the returned mail in which a token of ours may stand; only its MAC makes it one."""
    headers = [value for name in (X_HEADER, "Message-ID", "References", "Reply-To") for value in mail.values(name)]
    return tuple(one for one in [mail.message_id or "", mail.envelope_id, *headers, *mail.bounced_to] if one)


def _shown(evidence: Evidence) -> str:
    return f"{evidence.rule}: {evidence.found}"[:_SHOWN_CHARS] if evidence.found else evidence.rule


def taken_apart(mail: ParsedMail) -> MailBody:
    """The body of a mail. HTML is read if the extra is there; a mail without it is not lost: its bytes can be read again."""
    try:
        from ticketmail.adapters.mime.html import body_of
    except ModuleNotFoundError:
        folded = fold_text(mail.text or "", forwarded=is_forward(mail.subject))
        return MailBody(folded.top, folded.segments, folded.note, flags=("html-not-read",) if mail.html else ())
    return body_of(mail)


def _content(body: MailBody) -> Content:
    """``quoted`` has the lines that say whose words they are; ``signature`` has all that is said in every mail."""
    folded = Folded(body.segments, body.top)
    return Content(
        text=body.top,
        quoted=folded.text(Kind.ATTRIBUTION, Kind.QUOTE),
        signature=folded.text(Kind.SIGNATURE, Kind.DISCLAIMER),
        hidden=body.hidden,
        html=body.html or "",
        risks=body.flags,
    )
