"""Bounces, delays and successes of delivery: recognised by several signs at once, and taken apart.

First what is written for machines (RFC 3464), then what is written for people (``notices.py``). A notice needs a sender that
mail systems use *and* words of failure; neither alone makes a bounce. Where the sender is none of these, subject, text, recipient
and the returned mail must all be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import unescape
from itertools import islice
from typing import Final

from ticketmail.domain.inbound.automatic import Means, spoken
from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.notices import MAX_TEXT, divide, read_notice
from ticketmail.domain.inbound.returned import returned_mail
from ticketmail.domain.inbound.statuses import StatusGroups, read_groups, recipients_of, reply_class, status_in
from ticketmail.domain.inbound.verdict import DeliveryReport, Evidence, FailedRecipient, MailKind, ReturnedMail
from ticketmail.domain.inbound.wordings import (
    DELAY_SUBJECTS,
    DELAY_TEXTS,
    DIGEST_SUBJECTS,
    EXPIRED_TEXTS,
    FAILURE_SUBJECTS,
    FAILURE_TEXTS,
    MAX_SUBJECT,
    SUCCESS_SUBJECTS,
    UNREACHED_TEXTS,
    UNRESOLVED_TEXTS,
    first_found,
    untagged,
)

MAX_RECIPIENTS: Final = 200  #: of one report
#: Names of mail systems. The long one is Exchange's for notices within an organisation (Set-OrganizationConfig,
#: MicrosoftExchangeRecipientPrimarySmtpAddress).
_DAEMON: Final = re.compile(
    r"mailer[-_. ]?daemon|post_?master|mail[-_. ]?(?:delivery|daemon|system)|m?daemon$|double-bounce"
    r"|^microsoftexchange[0-9a-f]{32}$",
    re.IGNORECASE,
)
_NAMED_SO: Final = "daemon-sender"  #: the rule that saw a mail system in the sender's name
_STATUS_TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
_TAG: Final = re.compile(r"(<[^<>]*>)")
_BREAKS: Final = re.compile(r"</?(?:br|p|div|tr|li|h\d)\b", re.IGNORECASE)
_UNREAD: Final = re.compile(r"<(/?)(?:style|script|head)\b", re.IGNORECASE)
_MAX_HTML: Final = 131_072
_EMBEDDED: Final = re.compile(r"^(?:final|original)-recipient:", re.IGNORECASE | re.MULTILINE)
_REPORTING: Final = re.compile(
    rb"\A\s*(?:reporting-mta|original-envelope-id|arrival-date|(?:final|original)-recipient):", re.IGNORECASE
)
_MAX_UNDECLARED: Final = 5
#: RFC 3463: no answer from host, delivery time expired; and Exchange Online's own for the latter.
_EXPIRED: Final = {"4.4.1", "4.4.7", "5.4.7", "5.4.316"}
_PASSED_ON: Final = re.compile(r"\s*(?:re|aw|sv|fwd?|wg|tr|rv|i)\s*:", re.IGNORECASE)
#: Programs that people write with; servers that name their own (MDaemon, SMTP32) are not among them.
_PEOPLE_WRITE_WITH: Final = re.compile(
    r"thunderbird|outlook|apple mail|ip(?:hone|ad) mail|k-9|evolution|mutt|kmail|sylpheed|claws|the bat|roundcube|webmail|horde"
    r"|eudora|pegasus|gnus|alpine",
    re.IGNORECASE,
)
_ENVELOPE: Final = re.compile(r"^[ \t]*(?:rcpt to|mail from):", re.IGNORECASE | re.MULTILINE)
_HEADER_CHARS: Final = 200
_GOOD: Final = {"delivered", "relayed", "expanded", "deliverable"}  #: the last is of sendmail's and Postfix's probes


def read_report(mail: ParsedMail) -> DeliveryReport | None:
    """The delivery report that the mail is, None if it is something else."""
    text = readable(mail)
    groups = list(_groups(mail, text))
    recipients = tuple(islice(recipients_of(groups), MAX_RECIPIENTS))
    if recipients:
        return _by_status(mail, groups, recipients, text)
    report = _by_words(mail, text)
    if report is None or report.recipients:
        return report
    inner = _wrapped(mail)
    return (read_report(inner) if inner is not None else None) or replace(report, recipients=_only(report))


def read_refusal(mail: ParsedMail) -> DeliveryReport | None:
    """A refusal that a mailbox's filter sends in the form of a receipt (RFC 5429 section 2.1: reject), as a bounce."""
    text = next((part.text or "" for part in mail.reports if part.content_type.value == "message/disposition-notification"), "")
    if "automatic-action" not in text.lower() or is_daemon(mail) is None:
        return None
    notice, _ = divide(readable(mail))
    words = first_found(notice, FAILURE_TEXTS) and first_found(untagged(mail.subject), FAILURE_SUBJECTS)
    groups = read_groups(text)
    recipients = tuple(replace(one, permanent=True) for one in recipients_of([groups]))
    if words is None or not recipients:
        return None
    evidence = Evidence("refusal", words[1], "RFC 5429 section 2.1")
    return DeliveryReport(MailKind.BOUNCE, recipients, _returned(mail, [groups], ""), evidence=(evidence,))


def readable(mail: ParsedMail) -> str:
    """What a person would read, as far as rules need it."""
    if mail.text and mail.text.strip():
        return mail.text
    return _untagged((mail.html or "")[:_MAX_HTML])


def _untagged(html: str) -> str:
    """The text of HTML, roughly: rules look for phrases and addresses in it, nobody is shown it. Linear."""
    kept: list[str] = []
    unread = False
    for at, piece in enumerate(_TAG.split(html)):
        if at % 2 == 0:
            kept.append("" if unread else piece)
        elif marked := _UNREAD.match(piece):
            unread = not marked[1]
        else:
            kept.append("\n" if _BREAKS.match(piece) else " ")
    return unescape("".join(kept))


def is_daemon(mail: ParsedMail) -> Evidence | None:
    """Whether a mail system sent it: the sender's name, or the null return path (RFC 5321 section 4.5.5)."""
    for sender in mail.senders:
        local = sender.address.partition("@")[0]
        if _DAEMON.search(local) or _DAEMON.search(sender.name):
            return Evidence(_NAMED_SO, f"{sender.name} <{sender.address}>", "RFC 5321 section 4.5.5, RFC 2142")
    path = mail.value("return-path").strip()
    if path == "<>" or (path and _DAEMON.search(path.partition("@")[0])):
        return Evidence("null-return-path", path, "RFC 5321 section 4.5.5")
    return None


def _groups(mail: ParsedMail, text: str) -> Iterator[StatusGroups]:
    daemon = is_daemon(mail)
    if daemon is None and _is_shown_around(mail):
        return
    for part in mail.reports:
        if part.content_type.value in _STATUS_TYPES:
            yield read_groups(part.text or "")
    if mail.reports or daemon is None:
        return
    for stated in (text, *_undeclared(mail)):
        if _EMBEDDED.search(stated) and _speaks_for_a_server(mail, daemon, True, stated):
            yield read_groups(stated)


def _is_shown_around(mail: ParsedMail) -> bool:
    """Whether the parts of a report came with a mail of other people: they pass reports on in all their parts (Apple Mail), to
    ask what that means. A report is a ``multipart/report`` of its own (RFC 3462), or its subject speaks of a failure."""
    stated = untagged(mail.subject)
    if mail.content_type.value == "multipart/report":
        return False
    return first_found(stated, (*FAILURE_SUBJECTS, *DELAY_SUBJECTS)) is None or _PASSED_ON.match(stated) is not None


def _undeclared(mail: ParsedMail) -> Iterator[str]:
    """Files that may be a ``message/delivery-status`` under another type: gateways make ``details.txt`` of it."""
    for part in islice(mail.attachments, _MAX_UNDECLARED):
        if _REPORTING.search(part.content[:_MAX_HTML]):
            yield part.content[:_MAX_HTML].decode("utf-8", "replace").replace("\r\n", "\n")


def _wrapped(mail: ParsedMail) -> ParsedMail | None:
    """A report within a report: some gateways wrap what they pass on."""
    return next((one for one in mail.nested() if one.reports and is_daemon(one)), None)


def _by_status(
    mail: ParsedMail, groups: list[StatusGroups], recipients: tuple[FailedRecipient, ...], text: str
) -> DeliveryReport | None:
    actions = {one.action for one in recipients}
    evidence = Evidence("delivery-status", ", ".join(sorted(actions)), "RFC 3464")
    failed = tuple(one for one in recipients if not _is_good(one))
    notice, copy = divide(text)
    returned = _returned(mail, groups, copy)
    if not failed:
        return DeliveryReport(MailKind.DELIVERED, recipients, returned, evidence=(evidence,))
    failed = _told_more(mail, failed, notice)
    kind = MailKind.DELAY if {one.action for one in failed} == {"delayed"} else MailKind.BOUNCE
    waited = first_found(notice, EXPIRED_TEXTS) is not None
    expired = kind is MailKind.BOUNCE and all(_is_expired(one, waited) for one in failed)
    expired = expired and first_found(notice, UNRESOLVED_TEXTS) is None
    return DeliveryReport(kind, failed, returned, expired=expired, evidence=(evidence,))


def _is_good(one: FailedRecipient) -> bool:
    """By its action; by its status (RFC 3463 section 3: 2.X.X) where a program left that out."""
    return one.action in _GOOD or (one.action == "" and one.status.startswith("2."))


def _is_expired(one: FailedRecipient, waited: bool) -> bool:
    """``waited``: the notice says that the time was up, which counts where the fields tell no cause."""
    if one.status in _EXPIRED or (waited and one.status[:1] == "4" and _says_nothing(one.status)):
        return True
    return first_found(one.diagnostic[:MAX_SUBJECT], EXPIRED_TEXTS) is not None


def _told_more(mail: ParsedMail, failed: tuple[FailedRecipient, ...], notice: str) -> tuple[FailedRecipient, ...]:
    """What the notice for people says of those whose fields say nothing: "other or undefined", and no diagnostic (OpenSMTPD)."""
    if all(one.diagnostic or not _says_nothing(one.status) for one in failed):
        return failed
    said = {one.address.lower(): one for one in read_notice(notice, never=_never(mail), domain=_domain(mail))}
    return tuple(_completed(one, said.get(one.address.lower())) for one in failed)


def _completed(one: FailedRecipient, said: FailedRecipient | None) -> FailedRecipient:
    if said is None or one.diagnostic or not _says_nothing(one.status):
        return one
    told = said.status if said.status[:1] == (one.status[:1] or said.status[:1]) else ""
    return replace(one, status=told or one.status, diagnostic=said.diagnostic)


def _says_nothing(status: str) -> bool:
    """RFC 3463 section 3.1: X.0.0 is all that is known when nothing is; or there is no status."""
    return status[1:] in ("", ".0.0")


def _by_words(mail: ParsedMail, text: str) -> DeliveryReport | None:
    stated = untagged(mail.subject)
    daemon, named, subject = is_daemon(mail), mail.value("x-failed-recipients"), first_found(stated, FAILURE_SUBJECTS)
    if not (daemon or named) and (subject is None or _PASSED_ON.match(stated)):
        return None
    if subject is None and not named and first_found(stated, DIGEST_SUBJECTS):
        return None
    notice, copy = divide(text)
    if daemon and (success := first_found(stated, SUCCESS_SUBJECTS)):
        return _succeeded(mail, Evidence(success[0].name, success[1], success[0].source), notice, copy)
    words = first_found(notice, FAILURE_TEXTS)
    late = first_found(stated, DELAY_SUBJECTS)
    delayed = late or first_found(notice, DELAY_TEXTS)
    found = _with_named(named, read_notice(notice, never=_never(mail), domain=_domain(mail)), notice)
    returns = _returns_a_mail(mail, copy)
    if named or (daemon and _speaks_for_a_server(mail, daemon, bool(subject or late), text)):
        tells = bool(named or subject or words or delayed or (returns and daemon and daemon.rule == _NAMED_SO))
    else:
        tells = bool(found and words) and _sent_back(stated, daemon, returns, notice)
    if not tells:
        return None
    evidence = [daemon] if daemon else []
    evidence += [Evidence(one.name, said, one.source) for one, said in filter(None, (subject, words, delayed))]
    expired = first_found(f"{stated}\n{notice}", EXPIRED_TEXTS)
    kind = MailKind.DELAY if late or (delayed and not expired) else MailKind.BOUNCE
    expired = expired or first_found(notice, UNREACHED_TEXTS)
    recipients = [_judged(one, bool(delayed or expired), several=len(found) > 1) for one in found]
    over = (
        kind is MailKind.BOUNCE and _are_over(recipients, expired is not None) and first_found(notice, UNRESOLVED_TEXTS) is None
    )
    return DeliveryReport(kind, tuple(recipients), _returned(mail, [], copy), expired=over, evidence=tuple(evidence))


def _succeeded(mail: ParsedMail, evidence: Evidence, notice: str, copy: str) -> DeliveryReport:
    recipients = read_notice(notice, never=_never(mail), domain=_domain(mail))
    done = tuple(replace(one, permanent=None, status="") for one in recipients)
    return DeliveryReport(MailKind.DELIVERED, done, _returned(mail, [], copy), evidence=(evidence,))


def _judged(one: FailedRecipient, temporary: bool, *, several: bool) -> FailedRecipient:
    """For good or not by words, where no code says it: of several recipients by those beside each, if there are any."""
    if one.permanent is not None:
        return one
    if several and first_found(one.diagnostic, FAILURE_TEXTS):
        temporary = first_found(one.diagnostic, (*EXPIRED_TEXTS, *UNREACHED_TEXTS, *DELAY_TEXTS)) is not None
    return replace(one, permanent=not temporary)


def _are_over(recipients: Sequence[FailedRecipient], waited: bool) -> bool:
    """Whether time was up for all of them: by their codes, or by the words of the notice (``waited``) where there are none."""
    statuses = {one.status for one in recipients}
    if any(one.permanent and not one.status for one in recipients):
        return False
    return statuses <= _EXPIRED | ({""} if waited else set()) and (waited or statuses != set())


def _sent_back(stated: str, daemon: Evidence | None, returns: bool, notice: str) -> bool:
    """What must be there besides words and a recipient, where nothing says that a server speaks: the mail itself, and no sign
    that people passed it on. With a null return path, a status will do for the mail."""
    if daemon is not None and daemon.rule != _NAMED_SO:
        return returns or status_in(notice) != ""
    return returns and _PASSED_ON.match(stated) is None


def _speaks_for_a_server(mail: ParsedMail, daemon: Evidence, failed: bool, text: str) -> bool:
    """Whether words of failure in this mail are a server's own.

    A null return path alone proves no bounce: vacation programs use it, too (RFC 3834 section 3.3), and the absent write that
    they *could not read* something. Postmasters are people: one who answers a mail, or writes with a program for people, does
    so in nobody's name but his own.
    """
    stated = untagged(mail.subject)
    if daemon.rule != _NAMED_SO and daemon.found == "<>":
        return failed and not any(means in (Means.AWAY, Means.REPLY) for means, _ in spoken(mail))
    if mail.value("return-path").strip() == "<>":
        return True
    passed_on = _PASSED_ON.match(stated) is not None
    if _PEOPLE_WRITE_WITH.search(mail.value("user-agent") or mail.value("x-mailer")):
        return failed and not passed_on
    # Of programs only Apache James sends answers, with the envelope in them.
    return not (mail.in_reply_to and passed_on) or _ENVELOPE.search(text[:MAX_TEXT]) is not None


def _only(report: DeliveryReport) -> tuple[FailedRecipient, ...]:
    """A notice that names nobody is about the one to whom the returned mail went."""
    permanent = report.kind is MailKind.BOUNCE and not report.expired
    named = report.returned.recipients
    return (FailedRecipient(named[0], permanent=permanent),) if len(named) == 1 else ()


def _returns_a_mail(mail: ParsedMail, copy: str) -> bool:
    """What people write about a bounce seldom comes with the whole mail below it."""
    return next(mail.nested(), None) is not None or len(copy) > _HEADER_CHARS


def _with_named(named: str, found: list[FailedRecipient], notice: str) -> list[FailedRecipient]:
    """Those that ``X-Failed-Recipients`` (Exim, Google) names, with what the notice says of them."""
    known = {one.address.lower(): one for one in found}
    names = [one.strip(" <>") for one in named.split(",") if "@" in one]
    status = status_in(notice) if len(names) == 1 else ""
    kind = {"5": True, "4": False}.get(status[:1] or (reply_class(notice) if len(names) == 1 else ""))
    return [known.get(one.lower(), FailedRecipient(one, status=status, permanent=kind)) for one in names] or found


def _domain(mail: ParsedMail) -> str:
    return mail.senders[0].address.rpartition("@")[2].lower() if mail.senders else ""


def _never(mail: ParsedMail) -> frozenset[str]:
    return frozenset(one.key for one in (*mail.senders, *mail.to))


def _returned(mail: ParsedMail, groups: list[StatusGroups], copy: str) -> ReturnedMail:
    envelope_id = next((group.message["original-envelope-id"] for group in groups if "original-envelope-id" in group.message), "")
    return returned_mail(mail, text=copy, envelope_id=envelope_id)
