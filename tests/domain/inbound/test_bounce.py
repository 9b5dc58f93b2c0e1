"""Reports of deliveries: for machines and for people. Small ones of our own, in the forms that mail systems use."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.bounce import read_report
from ticketmail.domain.inbound.classify import classify
from ticketmail.domain.inbound.notices import divide, read_notice
from ticketmail.domain.inbound.statuses import address_in, read_groups, recipients_of, reply_class, status_in
from ticketmail.domain.inbound.verdict import DeliveryReport, MailKind

HEAD = "From: Mail Delivery System <MAILER-DAEMON@mx.example.com>\nTo: help@example.com\n"
ORIGINAL = "Message-ID: <t.1@example.com>\nX-Ticketmail-Id: token\nTo: ann@example.net\nSubject: Your printer\n\nHello"


def dsn(fields: str, *, original: str = ORIGINAL, kind: str = "message/rfc822", text: str = "Sorry.") -> DeliveryReport:
    raw = (
        f"{HEAD}Subject: Undelivered Mail Returned to Sender\nDelivered-To: bounce+t@example.com\n"
        f"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n{text}\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n"
        f"Original-Envelope-Id: env-1\n\n{fields}\n"
        f"--b\nContent-Type: {kind}\n\n{original}\n--b--"
    )
    report = classify(parse(raw.encode())).report
    assert report is not None
    return report


def notice(body: str, *, subject: str = "Mail delivery failed", head: str = HEAD) -> DeliveryReport | None:
    return read_report(parse(f"{head}Subject: {subject}\n\n{body}".encode()))


def told(report: DeliveryReport | None) -> tuple[str, list[str], bool | None, list[str]]:
    assert report is not None
    recipients = [one.address for one in report.recipients]
    return report.kind.value, recipients, report.permanent, [one.status for one in report.recipients]


def test_a_report_says_who_failed_and_why() -> None:
    report = dsn(
        "Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.net\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such\n user"
    )

    assert told(report) == ("bounce", ["ann@example.net"], True, ["5.1.1"])
    assert report.recipients[0].diagnostic == "550 5.1.1 no such user"
    assert report.recipients[0].remote_mta == "mx.example.net"
    assert [one.rule for one in report.evidence] == ["delivery-status"]


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_leads_back_to_the_mail_that_it_is_about(kind: str) -> None:
    returned = dsn("Final-Recipient: rfc822; ann@example.net\nAction: failed", kind=kind).returned

    assert (returned.message_id, returned.envelope_id, returned.subject) == ("t.1@example.com", "env-1", "Your printer")
    assert returned.values("x-ticketmail-id") == ["token"]
    assert returned.recipients == ("ann@example.net",)
    assert returned.bounced_to == ("bounce+t@example.com", "help@example.com")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Action: delayed\nStatus: 4.4.1", ("delay", False, "4.4.1")),
        ("Action: Delayed (will retry)\nStatus: 4.4.1", ("delay", False, "4.4.1")),
        ("Action: delivered\nStatus: 2.0.0", ("delivered", None, "2.0.0")),
        ("Action: expanded\nStatus: 2.0.0", ("delivered", None, "2.0.0")),
        ("Action: relayed", ("delivered", None, "")),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.1 spam", ("bounce", True, "5.7.1")),
        ("Action: failed\nDiagnostic-Code: smtp; 452 try later", ("bounce", False, "")),
        ("Action: failed", ("bounce", True, "")),
        ("Action: error", ("bounce", None, "")),
        ("Status: 2.1.5", ("delivered", None, "2.1.5")),  # without an action, its status says that all is well
    ],
)
def test_actions_and_codes(fields: str, expected: tuple[str, bool | None, str]) -> None:
    report = dsn(f"Final-Recipient: rfc822; ann@example.net\n{fields}")

    assert (report.kind.value, report.permanent, report.recipients[0].status) == expected


@pytest.mark.parametrize(
    ("status", "text", "expired"),
    [
        ("4.4.7", "Sorry.", True),
        ("4.0.0", "Message could not be delivered for 5 days", True),
        ("4.2.2", "Message could not be delivered for 5 days", False),  # that a mailbox was full is the cause
    ],
)
def test_time_that_was_up_is_no_delay(status: str, text: str, expired: bool) -> None:
    report = dsn(f"Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: {status}", text=text)

    assert (report.kind, report.expired, report.permanent) == (MailKind.BOUNCE, expired, False)


def test_several_recipients_with_and_without_empty_lines() -> None:
    one = "Original-Recipient: rfc822;{0}@example.net\nFinal-Recipient: rfc822; {0}@mx.example.net\nAction: failed\nStatus: 5.1.1"

    for between in ("\n\n", "\n"):
        report = dsn(between.join(one.format(name) for name in ("ann", "bob", "carol")))
        assert [found.original for found in report.recipients] == [f"{name}@example.net" for name in ("ann", "bob", "carol")]


def test_fields_in_front_of_the_recipient_belong_to_it() -> None:
    report = dsn("Action: failed\nStatus: 5.2.2\nOriginal-Recipient: rfc822;a@example.net\nFinal-Recipient: rfc822;b@example.net")

    assert told(report) == ("bounce", ["b@example.net"], True, ["5.2.2"])


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822; ann@example.net", "ann@example.net"),
        ("RFC822;<ann@example.net>", "ann@example.net"),
        ("ann@example.net (Ann)", "ann@example.net"),
        ("rfc822; ann+2Bx+40example.net", "ann+x@example.net"),  # xtext, RFC 3461 section 4
        ("rfc822; ann+40@example.net", "ann+40@example.net"),
        ("x-local; ann", "ann"),
        ("utf-8; ann@exämple.net", "ann@exämple.net"),
        (r"utf-8; \x{E4}nn@example.net", "änn@example.net"),  # RFC 6533 section 3
        (r"utf-8; a\x{D800}\x{FFFFFF}b@example.net", "a\ufffd\ufffdb@example.net"),  # what is no character
        ("rfc822; pat.o'neil@example.net", "pat.o'neil@example.net"),
        ("rfc822; 'ann@example.net'", "ann@example.net"),
        ("nobody at all", ""),
    ],
)
def test_addresses_of_fields(value: str, address: str) -> None:
    assert address_in(value) == address


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        ("4.0.0", "421 4.7.0 too much mail", "4.7.0"),
        ("4.0.0", "550 5.1.1 no such user", "4.0.0"),  # of another class: not what the fields are about
        ("4.2.2", "421 4.7.0 too much mail", "4.2.2"),
    ],
)
def test_where_fields_say_nothing_the_notice_speaks(status: str, said: str, expected: str) -> None:
    report = read_report(
        parse(
            f"{HEAD}Subject: Delivery status notification: delayed\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n"
            f"A message is delayed for:\n\nann@example.net: {said}\n--b\nContent-Type: message/delivery-status\n\n"
            f"Final-Recipient: rfc822; ann@example.net\nAction: delayed\nStatus: {status}\n--b--".encode()
        )
    )

    assert told(report) == ("delay", ["ann@example.net"], False, [expected])


@pytest.mark.parametrize("kind", ["text/plain; name=status.txt", "application/octet-stream; name=details.txt"])
def test_a_report_whose_type_a_gateway_has_changed(kind: str) -> None:
    report = read_report(
        parse(
            f"{HEAD}Subject: Undeliverable\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nNot delivered.\n"
            f"--b\nContent-Type: {kind}\nContent-Disposition: attachment\n\nReporting-MTA: dns; mx.example.com\n\n"
            f"Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: 5.1.1\n--b--".encode()
        )
    )

    assert told(report) == ("bounce", ["ann@example.net"], True, ["5.1.1"])


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("550 5.1.1 no", "5.1.1", "5"),
        ("said: 452-4.2.2 full", "4.2.2", "4"),
        ("host 192.5.1.10 said: 550 no", "", "5"),
        ("version 4.2.1.3", "", ""),
        ("250 2.0.0 Ok", "", ""),
        ("5.1.0 - Unknown address error 550-'5.2.2 mailbox full'", "5.2.2", "5"),  # the remote server's own words say more
        ("554 4.4.7 Message expired <421 4.4.2 timed out>", "4.4.2", "5"),
        ("554 4.4.7 Message expired", "4.4.7", "5"),
    ],
)
def test_codes_in_prose(text: str, status: str, kind: str) -> None:
    assert status_in(text) == status
    assert reply_class(text) == kind


POSTFIX = "I'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n"
EXIM = "A message that you sent could not be delivered to one or more of its\nrecipients. The following address(es) failed:\n\n"
QMAIL = "Hi. This is the qmail-send program at mx.example.com.\nI'm afraid I wasn't able to deliver your message.\n\n"
SENDMAIL = (
    "   ----- The following addresses had permanent fatal errors -----\n<ann@example.net>\n\n"
    "   ----- Transcript of session follows -----\n"
)
EXCHANGE = "did not reach the following recipient(s):\n\nann@example.net on Mon, 4 Jan 2027\n  Unknown Recipient"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{POSTFIX}<ann@example.net>: host mx.example.net[192.0.2.1] said: 550 5.1.1 no such user", ("ann", True, "5.1.1")),
        (f"{EXIM}  ann@example.com <ann@example.net>: malformed address: <ann> may not follow", ("ann", True, "")),
        (f"{EXIM}  ann@example.net\n    SMTP error after RCPT TO:<ann@example.net>:\n    550 unknown user", ("ann", True, "")),
        (f"{QMAIL}<ann@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)", ("ann", True, "5.1.1")),
        (f"{SENDMAIL}... while talking to mx.example.net.:\n>>> DATA\n<<< 552 5.2.2 Over quota", ("ann", True, "5.2.2")),
        (EXCHANGE, ("ann", True, "")),
        ("Delivery failed.\nRecipient: ann@example.net\nReason: over quota", ("ann", True, "")),
        ("Undeliverable.\n>>> RCPT TO:<ann@example.net>\n<<< 450 4.2.1 busy", ("ann", False, "4.2.1")),
        ("Your message to ann@example.net could not be delivered.", ("ann", True, "")),
        ("<html><body>Your message to <b>ann@example.net</b> could not be delivered.</body></html>", ("ann", True, "")),
        ("このメールは送信できませんでした。\nann@example.net\n", ("ann", True, "")),
        (f"{POSTFIX}<pat.o'ann@example.net>: unknown user", ("pat.o'ann", True, "")),
        (f"{POSTFIX}<x+a=b@example.net>: unknown user", ("x+a=b", True, "")),
        (f'{POSTFIX}<"x y"@example.net>: unknown user', ('"x y"', True, "")),
        (f"{EXIM}  pat.o'neil@example.net\n    unknown user", ("pat.o'neil", True, "")),
        ("Der Empfänger 'ann@example.net' ist unbekannt.", ("ann", True, "")),
        ("Le message d'ann@example.net n'a pas pu être remis.", ("ann", True, "")),
        (f"{POSTFIX}<ann@example.net> (expanded from\n    <team@example.net>): unknown user", ("ann", True, "")),
        ("It failed because it has not been collected after 30 days.\nRecipient: ann@example.net", ("ann", True, "")),
        (f"{POSTFIX}For help, contact <postmaster@example.net>\n\n<ann@example.net>: unknown user", ("ann", True, "")),
    ],
)
def test_notices_for_people(body: str, expected: tuple[str, bool, str]) -> None:
    name, permanent, status = expected

    assert told(notice(body)) == ("bounce", [f"{name}@example.net"], permanent, [status])


def test_where_a_mail_was_sent_on_to_failed_and_so_did_the_one_it_was_sent_to() -> None:
    report = notice(
        "Sorry, unable to deliver your message to ann@example.net for this reason:\n\n 552 no room for bob@example.org"
    )

    assert told(report)[1] == ["ann@example.net", "bob@example.org"]


def test_a_name_that_is_not_found_is_the_cause_however_long_was_waited() -> None:
    given_up = f"{SENDMAIL}<ann@example.net>... Deferred: {{}}\nMessage could not be delivered for 5 days\n"
    reports = [notice(given_up.format(cause)) for cause in ("Connection timed out", "mx: host name lookup failure")]

    assert [one is not None and one.expired for one in reports] == [True, False]


def test_the_returned_mail_is_no_part_of_the_notice() -> None:
    text = f"{POSTFIX}<ann@example.net>: no\n\n--- Below this line is a copy of the message.\n\n<bob@example.net>: quoted"

    assert [one.address for one in read_notice(divide(text)[0], never=frozenset())] == ["ann@example.net"]


def test_a_header_begins_the_returned_mail_even_unannounced() -> None:
    text = "<ann@example.net>: no\n\nReceived: from x\nFrom: bob@example.net\nSubject: y\n\n<bob@example.net>: z"

    assert "bob" not in divide(text)[0]


def test_several_recipients_have_reasons_of_their_own() -> None:
    report = notice(f"{POSTFIX}<ann@example.net>: 550 5.1.1 unknown\n\n<bob@example.net>: 452 4.2.2 full")

    assert told(report) == ("bounce", ["ann@example.net", "bob@example.net"], None, ["5.1.1", "4.2.2"])


def test_of_several_recipients_one_may_have_failed_for_a_time_only() -> None:
    late = "  ann@example.net\n    mailbox is full: retry timeout exceeded\n"
    reports = [
        notice(f"{EXIM}{late}  bob@example.net\n    {cause}") for cause in ("Unrouteable address", "retry timeout exceeded")
    ]

    assert [[one.permanent for one in report.recipients] for report in reports if report] == [[False, True], [False, False]]
    assert [report.expired for report in reports if report] == [False, True]


def test_a_notice_of_success_says_so() -> None:
    text = "Your message was successfully delivered to the destination(s)\nlisted below.\n\n<ann@example.net>: via mx: 250 Ok"

    assert told(notice(text, subject="Successful Mail Delivery Report")) == ("delivered", ["ann@example.net"], None, [""])


def test_exim_and_google_name_the_recipients_in_the_header() -> None:
    report = notice("Delivery failed.", head=f"{HEAD}X-Failed-Recipients: ann@example.net, bob@example.net\n")

    assert told(report)[1] == ["ann@example.net", "bob@example.net"]


@pytest.mark.parametrize(
    ("subject", "body", "kind"),
    [
        ("Warning: message delayed 4 hours", "has not yet been delivered\n\n  ann@example.net", MailKind.DELAY),
        ("Delivery Status Notification (Delay)", "THIS IS A WARNING MESSAGE ONLY.\n\n  ann@example.net", MailKind.DELAY),
        ("Delivery Notification: Delivery has been delayed", "unable to deliver for 2 days: ann@example.net", MailKind.DELAY),
        (
            "Undeliverable: x",
            "Could not be reached:\n\nann@example.net on 4 Jan\n  In no time. <mx.example.net #4.4.7>",
            MailKind.BOUNCE,
        ),
        ("Mail delivery failed", f"{EXIM}  ann@example.net\n    retry timeout exceeded", MailKind.BOUNCE),
        ("Mail delivery failed", "Your mail to <ann@example.net>: Could not deliver for the last 9 seconds.", MailKind.BOUNCE),
    ],
)
def test_delays(subject: str, body: str, kind: MailKind) -> None:
    report = notice(body, subject=subject)

    assert report is not None
    assert (report.kind, report.permanent, report.expired) == (kind, False, kind is MailKind.BOUNCE)


@pytest.mark.parametrize("tag", ["[EXTERNAL] ", "***SPAM*** ", "[EXT] [SPAM?] "])
def test_tags_of_gateways_change_nothing(tag: str) -> None:
    from_people = "From: Ann <ann@example.net>\nTo: help@example.com\n"

    assert notice("<bob@example.net>: no such user", subject=f"{tag}Returned mail") is not None
    assert notice("<bob@example.net>: no such user", subject=f"{tag}Re: Returned mail", head=from_people) is None
    assert notice("What is this?", subject=f"{tag}") is None


def test_a_postmaster_who_answers_is_a_human() -> None:
    head = "From: Ann <postmaster@example.net>\nTo: help@example.com\nIn-Reply-To: <t.1@example.com>\n"

    assert notice("Our users still get: 550 5.1.1 user unknown", subject="Re: Mail trouble", head=head) is None
    assert notice("550 5.1.1 user unknown", subject="Re: x", head=f"Return-Path: <>\n{head}") is not None


@pytest.mark.parametrize(
    ("sender", "subject", "body"),
    [
        ("ann@example.net", "Mail delivery failed", "I got this: could not be delivered to bob@example.net"),
        ("ann@example.net", "Re: Undeliverable", "User unknown? 550 5.1.1 bob@example.net"),
        ("postmaster@example.net", "Maintenance", "The server is down on Monday."),
    ],
)
def test_neither_words_nor_sender_alone_make_a_bounce(sender: str, subject: str, body: str) -> None:
    assert notice(body, subject=subject, head=f"From: {sender}\nTo: help@example.com\n") is None


RETURNED = (
    "\n\nOriginal message follows.\n\nReceived: from x\nFrom: help@example.com\nTo: ann@example.net\nSubject: y\n"
    + "Hello. " * 40
)


@pytest.mark.parametrize(
    ("subject", "body", "recipients"),
    [
        ("Undeliverable: y", f"Could not be delivered:\n\n  ann@example.net: user unknown{RETURNED}", ["ann@example.net"]),
        ("Fwd: Undeliverable: y", f"Could not be delivered:\n\n  ann@example.net: user unknown{RETURNED}", None),
        ("Your order", f"Could not be delivered:\n\n  ann@example.net: user unknown{RETURNED}", None),
        ("Undeliverable: y", "Could not be delivered:\n\n  ann@example.net: user unknown", None),
    ],
)
def test_a_sender_of_any_name_needs_all_the_other_signs(subject: str, body: str, recipients: list[str] | None) -> None:
    report = notice(body, subject=subject, head="From: Web Gateway <gw@example.net>\nTo: help@example.com\n")

    assert (report and [one.address for one in report.recipients]) == recipients


@pytest.mark.parametrize(
    ("subject", "body", "kind"),
    [
        ("Re: Your printer", "Ich bin nicht im Büro und konnte Ihre Mail nicht lesen. Schreiben Sie an max@example.net", None),
        ("Re: Your printer", "I can not reach my mail; in the office again on Monday. ann@example.net", None),
        ("Mailbox notice", "ann@example.net: 550 5.2.2 mailbox full", MailKind.BOUNCE),
        ("Undeliverable: Your printer", "Your message to <ann@example.net> could not be delivered.", MailKind.BOUNCE),
        ("WARNING: delayed mail.", "<ann@example.net>:\n  450 4.2.0 greylisted", MailKind.DELAY),
        ("Nieuws", f"<ann@example.net>: can not be delivered{RETURNED}", MailKind.BOUNCE),
    ],
)
def test_a_null_return_path_alone_is_no_daemon(subject: str, body: str, kind: MailKind | None) -> None:
    head = "Return-Path: <>\nFrom: Ann <ann@mx.example.net>\nTo: help@example.com\n"

    report = notice(body, subject=subject, head=head)

    assert (report and report.kind) == kind


def test_a_vacation_that_answers_a_mail_about_delivery_is_no_bounce() -> None:
    head = "Return-Path: <>\nFrom: Ann <ann@example.net>\nTo: help@example.com\nAuto-Submitted: auto-replied\n"

    assert notice("I can not be reached until Monday.", subject="Re: delivery problem", head=head) is None


@pytest.mark.parametrize(
    ("sender", "subject", "kind"),
    [
        ("Carl <carl@example.net>", "Fwd: Undelivered Mail Returned to Sender", MailKind.HUMAN),
        ("Carl <carl@example.net>", "What is this?", MailKind.HUMAN),
        ("Carl <carl@example.net>", "Undelivered Mail Returned to Sender", MailKind.BOUNCE),
        ("MAILER-DAEMON@example.net", "What is this?", MailKind.BOUNCE),
    ],
)
def test_people_show_reports_around(sender: str, subject: str, kind: MailKind) -> None:
    raw = (
        f"From: {sender}\nTo: help@example.com\nSubject: {subject}\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\n\nHello.\n--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ann@example.net\nAction: failed\n"
        f"--b\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--b--"
    )

    assert classify(parse(raw.encode())).kind is kind


def test_a_digest_of_what_was_held_back_is_no_bounce() -> None:
    body = "3 messages were blocked:\n\n<eve@example.net> Cheap watches"

    assert notice(body, subject="Spam quarantine notification") is None
    assert notice(body, subject="Undeliverable: your quarantine report") is not None


def test_a_postmaster_who_writes_with_a_program_for_people_is_a_human() -> None:
    head = "From: Ann <postmaster@example.net>\nTo: help@example.com\nUser-Agent: Mozilla Thunderbird\n"

    assert notice("Mails to ann@example.net are rejected: 550 5.7.1", subject="Our mails", head=head) is None


@pytest.mark.parametrize("program", ["User-Agent: Mozilla Thunderbird", "X-Mailer: Microsoft Outlook 16.0"])
@pytest.mark.parametrize(
    "quote", [ORIGINAL, "Final-Recipient: rfc822; ann@example.net\nAction: failed", "RCPT TO: <ann@example.net>"]
)
def test_a_postmaster_who_answers_a_bounce_is_a_human(program: str, quote: str) -> None:
    head = f"From: Ann <postmaster@example.net>\nTo: help@example.com\nIn-Reply-To: <t.1@example.com>\n{program}\n"
    text = f"It works now.\n\nUndelivered mail was returned to you:\n\n<ann@example.net>: 550 5.1.1\n\n{quote}{RETURNED}"

    assert notice(text, subject="Re: Undelivered Mail Returned to Sender", head=head) is None


def test_whom_to_ask_did_not_fail() -> None:
    text = "For assistance, contact <desk@example.net>.\n\n<ann@example.net>: unknown\n\n<desk@example.net>\n"

    assert [one.address for one in read_notice(text, never=frozenset())] == ["ann@example.net"]


def test_a_recipient_may_be_called_contact_or_support() -> None:
    text = "Contact <contact@example.net>: unknown\n\nOur support <support@example.net>: full\n"

    assert [one.address for one in read_notice(text, never=frozenset())] == ["contact@example.net", "support@example.net"]


@pytest.mark.parametrize(
    "text",
    [
        "Your mail from help@example.com to ann@example.net could not be delivered.",
        "A message from <help@example.com> to recipient <ann@example.net> was rejected.",
        "Message ID: <t.1@desk.example>\nDelivery to ann@example.net failed.",
        "Please reply to postmaster@example.com. The mail for ann@example.net was lost.",
    ],
)
def test_the_one_whom_it_was_to_failed(text: str) -> None:
    found = read_notice(text, never=frozenset({"help@example.com"}))

    assert [one.address for one in found] == ["ann@example.net"]


def test_the_first_of_several_stands_below_a_request_not_to_reply() -> None:
    text = "Please do not reply to this message.\n\n<ann@example.net>: 550 5.1.1 no\n\n<bob@example.net>: 550 5.2.2 full\n"

    assert [one.address for one in read_notice(text, never=frozenset())] == ["ann@example.net", "bob@example.net"]


def test_an_address_behind_a_code_and_a_hyphen() -> None:
    text = "host mx said:\n  550-ann@example.net is not active\n  550 unknown"

    assert [one.address for one in read_notice(text, never=frozenset())] == ["ann@example.net"]


def test_a_host_that_did_not_answer_may_answer_another_day() -> None:
    report = notice("<ann@example.net>: connect to mx.example.net[192.0.2.1]:25:\n    Connection timed out")

    assert report is not None
    assert (report.kind, report.permanent, report.expired) == (MailKind.BOUNCE, False, True)


def test_a_daemon_that_returns_a_mail_says_so_in_any_language() -> None:
    assert told(notice(f"Ӱ ӱ ӱ{RETURNED}", subject="Ӱ")) == ("bounce", ["ann@example.net"], True, [""])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("收件人：ann@example.net", "ann@example.net"),
        ("收件人邮件地址（ann@example.net）不存在", "ann@example.net"),
        ("ann@example.net不存在", "ann@example.net"),
        ("宛先「ann@example.net」が見つかりません。", "ann@example.net"),
        ("<jörg@müller.example>: unknown", "jörg@müller.example"),
    ],
)
def test_addresses_beside_letters_of_other_scripts(text: str, address: str) -> None:
    assert [one.address for one in read_notice(text, never=frozenset())] == [address]


@pytest.mark.parametrize(
    "subject",
    ["Unzustellbar: y", "Non recapitabile: y", "Niet-bestelbaar: y", "Kan ikke leveres: y", "Nedoručitelné: y",
     "Kézbesíthetetlen: y", "Не удается доставить: y", "Teslim edilemedi: y", "Neisporučivo: y", "配信不能: y", "未送达: y"],
)  # fmt: skip
def test_exchange_in_its_languages(subject: str) -> None:
    assert told(notice("ed@example.net", subject=subject))[:2] == ("bounce", ["ed@example.net"])


@pytest.mark.parametrize(
    "subject",
    ["Zustellung verzögert: x", "Remise différée : x", "Entrega retrasada: x", "Leveransen är försenad: x",
     "Doručení opožděno: x",
     "Доставка задерживается: x", "配信の遅延: x", "传递延迟: x"],
)  # fmt: skip
def test_exchange_is_late_in_its_languages(subject: str) -> None:
    assert told(notice("x:\n\nann@example.net\n", subject=subject)) == ("delay", ["ann@example.net"], False, [""])


def test_exchange_writes_to_its_own_people_under_a_name_of_its_own() -> None:
    head = "From: Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com>\nTo: help@example.com\n"

    report = notice("Your message to ann@example.net couldn't be delivered.", subject="Undeliverable: x", head=head)

    assert told(report) == ("bounce", ["ann@example.net"], True, [""])


def test_a_notice_that_names_nobody_is_about_the_one_to_whom_the_returned_mail_went() -> None:
    assert told(notice(f"Your message could not be delivered.{RETURNED}")) == ("bounce", ["ann@example.net"], True, [""])


def test_a_report_that_a_gateway_wrapped_is_opened() -> None:
    inner = (
        f"{HEAD}Subject: failed\nContent-Type: multipart/report; boundary=c\n\n--c\nContent-Type: message/delivery-status\n\n"
        "Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: 5.1.1\n--c--"
    )
    raw = (
        f"{HEAD}Subject: Delivery failure\nContent-Type: multipart/mixed; boundary=b\n\n"
        f"--b\n\nScanned.\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b--"
    )

    assert told(read_report(parse(raw.encode())))[1] == ["ann@example.net"]


def test_a_complaint() -> None:
    raw = (
        "From: fbl@example.org\nSubject: complaint\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        "--b\n\nSomebody complained.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
        f"Original-Rcpt-To: <ann@example.net>\n--b\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--b--"
    )

    report = classify(parse(raw.encode())).report

    assert report is not None
    assert (report.kind, report.feedback_type, report.returned.message_id) == (MailKind.COMPLAINT, "abuse", "t.1@example.com")
    assert [one.address for one in report.recipients] == ["ann@example.net"]


def test_a_complaint_that_names_nobody_is_of_the_one_to_whom_the_mail_went() -> None:
    raw = (
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n"
        f"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--b--"
    )

    report = classify(parse(raw.encode())).report

    assert report is not None
    assert [one.address for one in report.recipients] == ["ann@example.net"]


def receipt(disposition: str, *, sender: str, subject: str, body: str) -> DeliveryReport | None:
    raw = (
        f"From: {sender}\nSubject: {subject}\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"
        f"--b\n\n{body}\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; ann@example.net\n"
        f"Original-Message-ID: <t.1@example.com>\nDisposition: {disposition}\n--b--"
    )
    return classify(parse(raw.encode())).report


def test_a_receipt() -> None:
    report = receipt("manual-action/MDN-sent-manually; displayed", sender="ann@example.net", subject="Read: x", body="Read.")

    assert report is not None
    assert (report.kind, report.returned.message_id) == (MailKind.RECEIPT, "t.1@example.com")


def test_a_refusal_in_the_form_of_a_receipt_is_a_bounce() -> None:
    report = receipt(
        "automatic-action/MDN-sent-automatically; deleted",
        sender="MAILER-DAEMON@example.net",
        subject="Automatically rejected mail",
        body="Your message to <ann@example.net> was automatically rejected: Quota exceeded",
    )

    assert told(report) == ("bounce", ["ann@example.net"], True, [""])


SES = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Transient",
        "bouncedRecipients": [{"emailAddress": "ann@example.net", "status": "4.2.2", "action": "failed"}],
    },
    "mail": {"messageId": "0100", "destination": ["ann@example.net"], "headers": [{"name": "X-Ticketmail-Id", "value": "token"}]},
}


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "within SNS"])
def test_ses_tells_in_json(wrapped: bool) -> None:
    body = json.dumps({"Type": "Notification", "Message": json.dumps(SES)} if wrapped else SES)

    report = classify(parse(f"From: no-reply@sns.example\nSubject: n\n\n{body}\n\n--\nTo unsubscribe".encode())).report

    assert told(report) == ("bounce", ["ann@example.net"], False, ["4.2.2"])
    assert report is not None
    assert report.returned.values("x-ticketmail-id") == ["token"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=9), lambda one: st.lists(one) | st.dictionaries(st.text(max_size=9), one)
    )
)
def test_json_of_any_shape_is_no_fault(value: object) -> None:
    for detail in ("bounce", "mail"):
        body = json.dumps({**SES, detail: value})
        classify(parse(f"From: x@example.net\n\n{body}".encode()))


@given(st.text(max_size=400))
def test_any_text_is_groups(text: str) -> None:
    found = list(recipients_of([read_groups(text)]))

    assert all(one.address or one.original for one in found)
