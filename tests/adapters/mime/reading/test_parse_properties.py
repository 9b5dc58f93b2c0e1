"""Whatever the bytes: a mail comes out, the same each time, within bounds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime.reading import parse
from ticketmail.adapters.mime.reading.parties import parse_parties
from ticketmail.domain.inbound.classify import classify
from ticketmail.domain.inbound.limits import ReadingLimits
from ticketmail.domain.inbound.mail import ParsedMail, Part, Tier
from ticketmail.domain.message import Message
from ticketmail.testing.raw_mails import bodies, broken_mails, rendered
from ticketmail.testing.strategies import messages

SMALL = ReadingLimits(
    raw_bytes=1_000,
    header_bytes=300,
    field_bytes=60,
    fields=5,
    depth=2,
    parts=4,
    attachments=2,
    decoded_bytes=200,
    text_bytes=50,
    html_bytes=50,
    addresses=2,
    references=3,
    nested_mails=1,
)


def parts(mail: ParsedMail) -> list[Part]:
    own = [*mail.text_parts, *mail.html_parts, *mail.attachments, *mail.reports]
    return own + [one for inner in mail.nested() for one in (*inner.text_parts, *inner.html_parts, *inner.attachments)]


@given(broken_mails())
def test_any_bytes_are_read_without_a_fault_of_ours(raw: bytes) -> None:
    assert [one.evidence for one in parse(raw).defects if one.code == "not-read"] == []


@given(broken_mails())
def test_the_same_bytes_give_the_same_mail_and_the_same_verdict(raw: bytes) -> None:
    mail = parse(raw)

    assert parse(raw) == mail
    assert classify(mail) == classify(mail)


@given(broken_mails())
def test_limits_hold(raw: bytes) -> None:
    mail = parse(raw, SMALL)

    assert len(mail.attachments) <= SMALL.attachments
    assert len(parts(mail)) <= SMALL.parts + SMALL.attachments + 1
    assert all(len((part.text or "").encode()) <= 4 * SMALL.text_bytes for part in mail.text_parts)
    assert all(len(one) <= SMALL.addresses for one in (mail.senders, mail.to, mail.cc))
    assert len(mail.references) <= SMALL.references
    assert len(list(mail.nested())) <= SMALL.parts


@given(messages())
def test_what_we_write_is_read_back(message: Message) -> None:
    mail = parse(rendered(message))

    assert message.sender is not None
    assert [one.key for one in mail.senders] == [message.sender.key]
    assert [one.key for one in mail.to] == [one.key for one in message.to]
    assert mail.subject == " ".join(message.subject.split())
    assert (mail.text or "").rstrip("\n") == (message.text or "").rstrip("\n")
    assert (mail.html or "").rstrip("\n") == (message.html or "").rstrip("\n")
    assert [one.content for one in mail.attachments] == [one.content for one in message.attachments]
    assert mail.tier is Tier.FULL


@given(bodies())
def test_transfer_encodings_are_undone(body: tuple[bytes, str, str]) -> None:
    raw, encoding, text = body

    mail = parse(
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + raw
    )

    assert (mail.text or "").rstrip() == text.rstrip()


@given(st.text(max_size=300))
def test_any_text_is_a_list_of_parties(text: str) -> None:
    assert len(parse_parties(text, limit=10)) <= 10


HEAD = b"From: MAILER-DAEMON@example.com\r\nSubject: failure notice\r\n"
MULTIPART = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
HOSTILE = {
    "100,000 empty parts": MULTIPART + b"--b\r\n\r\n" * 100_000,
    "multiparts 50,000 deep": HEAD
    + b"".join(b"Content-Type: multipart/x; boundary=%d\n\n--%d\n" % (at, at) for at in range(50_000)),
    "mails within mails": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 20_000,
    "40,000 addresses": b"To: " + b"a <a@example.com>, " * 40_000 + b"\r\n\r\n",
    "30,000 parameters": HEAD + b"Content-Type: text/plain" + b"; a=b" * 30_000 + b"\r\n\r\n",
    "encoded words without an end": b"Subject: " + b"=?a?q?" * 40_000 + b"\r\n\r\n",
    "a field folded 60,000 times": b"Subject: a\r\n" + b" b\r\n" * 60_000 + b"\r\n",
    "comments without an end": b"From: " + b"(" * 30_000 + b"\r\n\r\n",
    "blanks before no line end": HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b" " * 900_000 + b"x",
    "delimiters within lines": MULTIPART + b"--bb" * 500_000,
    "files that do not end": HEAD + b"\r\n" + b"begin 644 a\r\n!aaaa\r\n" * 40_000,
    "yEnc of escapes": HEAD + b"\r\n=ybegin line=1 size=1 name=a\r\n" + b"=}" * 450_000 + b"\r\n=yend size=1\r\n",
    "yEnc that does not end": HEAD + b"\r\n" + b"=ybegin line=1 size=1 name=a\r\n" * 30_000,
    "empty lines": HEAD + b"\r\n" + b"\n" * 900_000 + b"x",
    "tags": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 100_000 + b"<script>" * 50_000,
    "a value of one character class": HEAD
    + b"Sender: "
    + b"1." * 15_000
    + b"\r\nX-Failed-Recipients: "
    + b"a" * 30_000
    + b"\r\n\r\n",
    "recipients without an end": HEAD + b"\r\n" + b"<a@example.com>:\n" * 60_000,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mail_is_read_and_classified_in_a_moment(raw: bytes) -> None:
    """Each of these takes seconds to hours where one rule is not linear; here a tenth of a second. A busy machine has five."""
    began = time.process_time()
    classify(parse(raw))
    assert time.process_time() - began < 5
