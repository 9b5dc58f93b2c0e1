"""On whose behalf a mail was sent on."""

from __future__ import annotations

import pytest

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.mail import HeaderField, ParsedMail, Party
from ticketmail.domain.inbound.passed_on import OriginalSender, original_sender
from ticketmail.domain.inbound.quoting import fold_text

SUPPORT = Party("Ann Example via Support", "support@example.com")
LIST = HeaderField("List-Id", b"", "<support.example.com>")


@pytest.mark.parametrize(
    "header",
    [
        "---------- Forwarded message ----------\nFrom: Ann Example <ann@example.org>\nDate: today\nSubject: "
        "Printer\nTo: bob@example.com",
        "-------- Weitergeleitete Nachricht --------\nBetreff: Printer\nDatum: heute\nVon: Ann Example "
        "<ann@example.org>\nAn: bob@example.com",
        'Begin forwarded message:\n\n> From: "Ann Example" <ann@example.org>\n> Subject: Printer\n> To: bob@example.com',
        '> Begin forwarded message:\n> \n> From: "Ann Example" <ann@example.org>\n> Subject: Printer\n> To: bob@example.com',
        "---------- Forwarded message ----------\nFrom: Ann Example [mailto:ann@example.org]\nSubject: Printer",
    ],
)
def test_the_sender_of_a_mail_that_was_passed_on(header):
    folded = fold_text(f"Please help her.\n\n{header}\n\nIt is off.\n")
    assert original_sender(ParsedMail(), folded.segments) == OriginalSender(
        "ann@example.org", "Ann Example", "Printer", "forward"
    )


def test_what_yandex_passes_on_has_one_line_above_it():
    folded = fold_text(
        '-------- Пересылаемое сообщение --------\n02.03.2026, 10:04, "Ann Example" <ann@example.org>:\n\nIt is off.\n'
    )
    assert original_sender(ParsedMail(), folded.segments) == OriginalSender("ann@example.org", "Ann Example", rule="forward")


@pytest.mark.parametrize(("subject", "address"), [("Fwd: Printer", "ann@example.org"), ("Your printer", None)])
def test_a_mail_that_is_attached_was_passed_on_if_the_subject_says_so(subject, address):
    attached = "Content-Type: message/rfc822\n\nFrom: Ann Example <ann@example.org>\nSubject: Printer\n\nIt is off."
    mail = parse(f"Subject: {subject}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee\n--b\n{attached}\n--b--".encode())
    found = original_sender(mail, ())
    assert (found.address if found else None) == address


def test_a_quoted_mail_is_none():
    folded = fold_text("Yes.\n\n-----Original Message-----\nFrom: Ann <ann@example.org>\nSubject: Printer\n\nIs it on?\n")
    assert original_sender(ParsedMail(), folded.segments) is None


def test_a_forward_that_somebody_answers_is_none():
    folded = fold_text(
        "Yes.\n\nOn 4 May 2026, Bob wrote:\n> Begin forwarded message:\n> \n> From: Ann <ann@example.org>\n> To: bob\n"
    )
    assert original_sender(ParsedMail(), folded.segments) is None
    assert folded.top == "Yes."


def test_a_list_that_keeps_the_original_in_a_header():
    kept = HeaderField("X-Original-From", b"", "Ann Example <ann@example.org>")
    mail = ParsedMail(headers=(LIST, kept), senders=(SUPPORT,))
    assert original_sender(mail, ()) == OriginalSender("ann@example.org", "Ann Example", rule="list-header")


def test_a_list_that_puts_the_original_into_reply_to():
    mail = ParsedMail(headers=(LIST,), senders=(SUPPORT,), reply_to=(Party("Ann", "ann@example.org"),))
    assert original_sender(mail, ()) == OriginalSender("ann@example.org", "Ann Example", rule="list-reply-to")


def test_without_a_list_headers_and_reply_to_say_nothing():
    kept = HeaderField("X-Original-From", b"", "ceo@example.org")
    assert original_sender(ParsedMail(headers=(kept,), senders=(SUPPORT,), reply_to=(Party("", "ceo@example.org"),)), ()) is None
