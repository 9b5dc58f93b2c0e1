"""What reports say of our mails counts once, in any order, and only about mails that we sent to that address."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from app.ingest.world import Host, letter
from ticketmail.domain.ticket import bounce_address


def dsn(
    original: str,
    recipient: str = "ann@example.net",
    *,
    status: str = "5.1.1",
    action: str = "failed",
    text: str = "No such user",
) -> bytes:
    """A delivery status notification (RFC 3464) that returns the header of ``original``."""
    return (
        "From: MAILER-DAEMON@mx.example.net\r\nTo: help@example.com\r\nSubject: Undelivered Mail\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nI could not deliver it.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} {text}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()


def complaint(original: str, feedback: str = "abuse") -> bytes:
    """An abuse report (RFC 5965)."""
    return (
        "From: abuse@provider.example\r\nTo: help@example.com\r\nSubject: complaint\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nSpam.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {feedback}\r\nUser-Agent: x/1\r\nVersion: 1\r\n"
        "Original-Rcpt-To: ann@example.net\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{original}\r\n\r\nbody\r\n--b--\r\n"
    ).encode()


def incoming(host: Host, content: bytes, **names: Any) -> list[Any]:
    host.mail.inbound.receive("help", content, **names)
    host.mail.inbound.settle()
    return host.told()


def suppressed(host: Host) -> list[str]:
    return [f"{one.address} {one.cause}" for one in host.mail.reading.suppressions()]


def test_a_bounce_marks_the_right_recipient_once_and_its_address_is_left_alone(host: Host) -> None:
    sent = host.answers("4711", ["ann@example.net", "bob@example.net"])
    original = f"From: help@example.com\r\nMessage-ID: {sent.message_id}\r\nSubject: x\r\n"

    first = incoming(host, dsn(original, "Bob@example.net"))
    again = incoming(host, dsn(original, "bob@example.net", text="Really no such user"))

    bounced = next(one for one in first if one.kind == "bounced")
    received = next(one for one in first if one.kind == "received")
    assert (bounced.recipient, bounced.recipient_number, bounced.ticket) == ("bob@example.net", 1, "4711")
    assert (bounced.cause, bounced.status) == ("unknown-recipient", "5.1.1")
    assert (received.category, received.acknowledge.allowed) == ("bounce", False)
    assert [(one.recipient, one.submission_id) for one in received.deliveries] == [("bob@example.net", str(sent.submission_id))]
    assert [one.kind for one in again] == ["received"]
    assert suppressed(host) == ["bob@example.net unknown-recipient"]
    kinds = [row.kind for row in host.mail.reading.history(sent.submission_id, 1)]
    assert kinds.count("bounced") == 1


def test_a_bounce_without_the_mail_is_known_by_the_address_that_it_came_to(host: Host) -> None:
    sent = host.answers("4711")
    keys = host.mail.spool.administering.secrets()
    to = bounce_address(keys, sent.submission_id, "bounces@example.com", recipients=["ann@example.net"])

    found = incoming(host, dsn(""), envelope_to=[to])

    assert [one.kind for one in found] == ["received", "bounced"]


@pytest.mark.parametrize(
    ("recipient", "original"),
    [
        ("eve@example.net", "Message-ID: {id}\r\n"),
        ("ann@example.net", "Message-ID: <guessed@example.com>\r\n"),
        ("ann@example.net", ""),
    ],
)
def test_a_forged_bounce_changes_nothing(host: Host, recipient: str, original: str) -> None:
    sent = host.answers("4711")

    found = incoming(host, dsn(original.format(id=sent.message_id), recipient))

    assert [one.kind for one in found] == ["received"]
    assert suppressed(host) == []
    assert [row.kind for row in host.mail.reading.history(sent.submission_id)] == ["accepted"]


@pytest.mark.parametrize(("status", "action", "kind"), [("5.2.2", "failed", "bounced"), ("4.4.1", "delayed", "delayed")])
def test_a_full_mailbox_and_a_delay_are_facts_that_suppress_nobody(host: Host, status: str, action: str, kind: str) -> None:
    sent = host.answers("4711")
    original = f"Message-ID: {sent.message_id}\r\n"

    incoming(host, dsn(original, status=status, action=action, text="mailbox full"))

    assert kind in [row.kind for row in host.mail.reading.history(sent.submission_id)]
    assert suppressed(host) == []


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure"])
def test_feedback_that_complains_of_nothing_suppresses_nobody(host: Host, feedback: str) -> None:
    sent = host.answers("4711")

    found = incoming(host, complaint(f"Message-ID: {sent.message_id}\r\nTo: ann@example.net\r\n", feedback))

    assert [one.kind for one in found] == ["received"]
    assert suppressed(host) == []


def test_a_report_of_a_failure_and_a_delay_tells_of_each(host: Host) -> None:
    sent = host.answers("4711", ["ann@example.net", "bob@example.net"])
    late = b"Final-Recipient: rfc822; bob@example.net\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n--b\r\nContent-Type: text/rfc822"
    both = dsn(f"Message-ID: {sent.message_id}\r\n").replace(b"--b\r\nContent-Type: text/rfc822", late)

    found = incoming(host, both)

    assert [one.recipient for one in found if one.kind == "bounced"] == ["ann@example.net"]
    assert "delayed" in [row.kind for row in host.mail.reading.history(sent.submission_id, 1)]


def test_whoever_calls_our_mail_spam_is_not_written_to_again(host: Host) -> None:
    sent = host.answers("4711")

    found = incoming(host, complaint(f"From: help@example.com\r\nMessage-ID: {sent.message_id}\r\nTo: ann@example.net\r\n"))

    assert "complained" in [one.kind for one in found]
    assert suppressed(host) == ["ann@example.net complaint"]


def test_an_absence_is_its_own_category_on_its_ticket_and_is_not_answered(host: Host) -> None:
    sent = host.answers("4711")

    event = host.gets(
        letter("I am out of the office until 2 March 2027.", In_Reply_To=sent.message_id, Auto_Submitted="auto-replied; vacation")
    )

    assert (event.category, event.ticket, event.acknowledge.allowed) == ("out_of_office", "4711", False)
