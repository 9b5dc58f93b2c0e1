"""The class of a mail and what speaks for it, rule by rule: mails of our own, each with one signal."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.absences import day_of_return
from ticketmail.domain.inbound.automatic import RULES
from ticketmail.domain.inbound.classify import Ours, classify
from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.verdict import AUTOMATIC, MailKind, Verdict
from ticketmail.testing.raw_mails import broken_mails, raw_mails

FROM = "From: Ann <ann@example.net>\nTo: help@example.com\nDate: Mon, 4 Jan 2027 10:00:00 +0000\n"


def read(header: str, body: str = "My printer is on fire.") -> ParsedMail:
    return parse(f"{FROM}{header}\n\n{body}".encode())


def verdict(header: str, body: str = "My printer is on fire.", ours: Ours | None = None) -> Verdict:
    return classify(read(header, body), ours or Ours())


def rules(found: Verdict) -> list[str]:
    return [one.rule for one in found.evidence]


def test_a_mail_that_somebody_wrote() -> None:
    found = verdict("Subject: printer")

    assert (found.kind, found.automatic, found.bulk, found.may_answer, found.evidence) == (MailKind.HUMAN, False, False, True, ())


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Auto-Submitted: no", MailKind.HUMAN),
        ("Auto-Submitted: auto-replied", MailKind.AUTO_REPLY),
        ("Auto-Submitted: auto-generated", MailKind.NOTICE),
        ("Auto-Submitted: auto-notified; owner=x", MailKind.NOTICE),
        ("Auto-Submitted: auto-replied (zimbra; vacation)", MailKind.OUT_OF_OFFICE),
        ("X-Autoreply: yes", MailKind.AUTO_REPLY),
        ("X-Autoreply: no", MailKind.HUMAN),
        ("X-Autorespond: your subject", MailKind.AUTO_REPLY),
        ("X-Mail-Autoreply: 1", MailKind.AUTO_REPLY),
        ("Precedence: auto_reply", MailKind.AUTO_REPLY),
        ("Precedence: first-class", MailKind.HUMAN),
        ("X-POST-MessageClass: 9; Autoresponder", MailKind.AUTO_REPLY),
        ("X-FC-MachineGenerated: true", MailKind.NOTICE),
        ("X-OTRS-Loop: True", MailKind.NOTICE),
        ("Return-Path: <>", MailKind.AUTO_REPLY),
        ("Precedence: bulk", MailKind.BULK),
        ("List-Id: <list.example.org>", MailKind.BULK),
        ("List-Unsubscribe: <mailto:off@example.org>", MailKind.BULK),
        ("X-BeenThere: list@example.org", MailKind.BULK),
        ("Sender: list-bounces@example.org", MailKind.BULK),
        ("Feedback-ID: 1:2:3", MailKind.BULK),
        ("X-Auto-Response-Suppress: All", MailKind.HUMAN),
        ("X-Cron-Env: <SHELL=/bin/sh>", MailKind.NOTICE),
        ("X-List-Administrivia: yes", MailKind.NOTICE),
        ("X-Bugzilla-Reason: AssignedTo", MailKind.NOTICE),
        ("X-GitHub-Reason: mention", MailKind.NOTICE),
        ("X-ServiceNow-Generated: true", MailKind.NOTICE),
        ("X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent", MailKind.NOTICE),
        ("X-Loop: somebody@example.org", MailKind.HUMAN),
        ("X-MS-Exchange-Inbox-Rules-Loop: ann@example.net", MailKind.HUMAN),
        ("X-MS-Exchange-Inbox-Rules-Loop: ann@example.net\nX-Auto-Response-Suppress: All", MailKind.OUT_OF_OFFICE),
        ("Subject: Report Domain: example.com Submitter: mx.example.net Report-ID: 1", MailKind.REPORT),
        ("TLS-Report-Domain: example.com", MailKind.REPORT),
    ],
)
def test_headers_that_machines_write(header: str, kind: MailKind) -> None:
    assert verdict(header).kind is kind


@pytest.mark.parametrize(
    ("subject", "body", "kind"),
    [
        ("Automatic reply: your ticket", "I am out of the office until Monday.", MailKind.OUT_OF_OFFICE),
        ("Automatic reply: your ticket", "Thank you, we have it.", MailKind.AUTO_REPLY),
        ("[EXTERNAL] Automatic reply: your ticket", "Thank you, we have it.", MailKind.AUTO_REPLY),
        ("Respuesta automatica: su solicitud", "Gracias.", MailKind.AUTO_REPLY),
        ("Automātiskā atbilde: x", "Paldies.", MailKind.AUTO_REPLY),
        ("Abwesenheitsnotiz: Ihre Anfrage", "Ich bin im Urlaub.", MailKind.OUT_OF_OFFICE),
        ("Réponse automatique : votre demande", "Je suis en congés.", MailKind.OUT_OF_OFFICE),
        ("自动回复: 工单", "我正在休假。", MailKind.OUT_OF_OFFICE),
        ("Re: Automatic reply: your ticket", "No, the printer is still on fire.", MailKind.HUMAN),
        ("Re: Automatic reply: your ticket", "I am out of the office until Monday.", MailKind.OUT_OF_OFFICE),
        ("Re: [issue] Out of Office AutoReply: away", "Hi, I am back in the office next week.", MailKind.OUT_OF_OFFICE),
        ("Office moved", "I will be out of the office next week, please call.", MailKind.HUMAN),
        ("vacation", "When is the next vacation?", MailKind.HUMAN),
        ("Abwesenheitsnotiz einrichten", "Wie geht das?", MailKind.HUMAN),
        ("Out of office chairs", "We need three.", MailKind.HUMAN),
        ("Auto: Golf", "Ich will mein Auto verkaufen.", MailKind.HUMAN),
        ("Automatic reply", "How do I switch it on?", MailKind.HUMAN),
        ("AUTO: Ann is out of the office (returning 12.03.2027)", "Please call.", MailKind.AUTO_REPLY),
        ("Out of Office", "I am out of the office until Monday.", MailKind.OUT_OF_OFFICE),
        ("Samodejni odgovor: zahtevek", "Hvala.", MailKind.AUTO_REPLY),
        ("תשובה אוטומטית: פנייה", "תודה", MailKind.AUTO_REPLY),
        ("رد تلقائي: طلب", "شكرا", MailKind.AUTO_REPLY),
        ("การตอบกลับอัตโนมัติ: ตั๋ว", "ขอบคุณ", MailKind.AUTO_REPLY),
    ],
)
def test_words_are_weak_evidence(subject: str, body: str, kind: MailKind) -> None:
    assert verdict(f"Subject: {subject}", body).kind is kind


def test_words_count_where_a_header_says_machine() -> None:
    found = verdict("Auto-Submitted: auto-replied\nSubject: Re: printer", "I am on annual leave until 11 January.")

    assert (found.kind, rules(found), found.back_on) == (
        MailKind.OUT_OF_OFFICE,
        ["auto-replied", "away-text"],
        date(2027, 1, 11),
    )


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ("Auto-Submitted: auto-replied", "automatic"),
        ("Precedence: list", "precedence-bulk"),
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply", "suppress"),
        ("X-Loop: yes", "loop"),
        ("From: MAILER-DAEMON@example.org", "daemon-sender"),
        ("From: no-reply@example.org", "unread-address"),
        ("From: donotreply@example.org", "unread-address"),
        ("From: nobody in particular", "no-sender"),
        ("From: sales@example.com", "own-address"),
    ],
)
def test_what_forbids_an_automatic_answer(header: str, rule: str) -> None:
    found = classify(parse(f"{header}\nSubject: x\n\nhello".encode()), Ours(addresses=frozenset({"sales@example.com"})))

    assert not found.may_answer
    assert rule in [one.rule for one in found.against]


def test_suppression_of_receipts_does_not_forbid_an_answer() -> None:
    assert verdict("X-Auto-Response-Suppress: DR, RN, NRN").may_answer


def test_our_own_mail_is_known_by_its_id_alone() -> None:
    ours = Ours(is_ours=lambda message_id: message_id == "t.1@example.com")

    assert verdict("Message-ID: <t.1@example.com>", ours=ours).kind is MailKind.OWN
    assert verdict("Message-ID: <t.2@example.com>", ours=ours).kind is MailKind.HUMAN


@pytest.mark.parametrize(
    ("method", "kind"), [("REPLY", MailKind.CALENDAR), ("COUNTER", MailKind.CALENDAR), ("REQUEST", MailKind.HUMAN)]
)
def test_answers_to_invitations(method: str, kind: MailKind) -> None:
    body = f"--b\n\nAccepted\n--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\nMETHOD:{method}\nEND:VCALENDAR\n--b--"

    found = verdict("Content-Type: multipart/alternative; boundary=b", body)

    assert (found.kind, found.automatic) == (kind, False)


def test_a_filter_that_wants_proof() -> None:
    found = verdict("Auto-Submitted: auto-replied", "Please click the link so that your message is delivered: example.org/x")

    assert (found.kind, found.may_answer) == (MailKind.CHALLENGE, False)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Away until May 5", date(2027, 5, 5)),
        ("I will return on the 5th of May", date(2027, 5, 5)),
        ("I will be back on Monday, January 11th, 2027.", date(2027, 1, 11)),
        ("(returning 05/01/2027)", date(2027, 1, 5)),  # sent on 4 January: the nearer of the two readings
        ("back on 2027-02-01", date(2027, 2, 1)),
        ("Ich bin bis 15.01. nicht im Büro", date(2027, 1, 15)),
        ("Ich bin ab dem 18. Januar 2027 wieder da", date(2027, 1, 18)),
        ("Je suis absent jusqu'au 1er février", date(2027, 2, 1)),
        ("Estaré fuera hasta el 20 de enero", date(2027, 1, 20)),
        ("Sono in ferie fino al 12 gennaio", date(2027, 1, 12)),
        ("Ik ben terug op 10 maart", date(2027, 3, 10)),
        ("back on 2025-01-01", None),  # before it was sent
        ("back soon", None),
        ("until 99/99/2027", None),
    ],
)
def test_the_day_of_return(text: str, day: date | None) -> None:
    sent = read("Subject: x").date

    assert day_of_return("", text, sent) == day


def test_without_a_date_of_its_own_a_note_names_no_day() -> None:
    assert day_of_return("", "back on 2027-02-01", None) is None


def test_each_rule_has_a_source() -> None:
    assert [one.rule for one in RULES if not one.source] == []


@given(raw_mails() | broken_mails())
def test_every_mail_has_one_class_and_every_answer_that_is_forbidden_a_reason(raw: bytes) -> None:
    found = classify(parse(raw))

    assert found.automatic == (found.kind in AUTOMATIC)
    assert found.may_answer == (not found.against)
    assert not (found.automatic and found.may_answer)
    assert (found.report is not None) == (
        found.kind in (MailKind.BOUNCE, MailKind.DELAY, MailKind.DELIVERED, MailKind.COMPLAINT, MailKind.RECEIPT)
    )
