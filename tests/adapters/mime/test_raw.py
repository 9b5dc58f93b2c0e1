"""Ready MIME bytes are checked with bounds, and an error names the header."""

from __future__ import annotations

import email.policy
import time
from email.headerregistry import Address as ParsedAddress
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime import MimeRenderer
from ticketmail.adapters.mime.words import decoded
from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidAddress, InvalidHeader, InvalidMessage, InvalidSubmission, TooLarge

check = MimeRenderer().check_raw


def test_it_tells_what_the_header_says() -> None:
    raw = (
        b"Received: from somewhere\r\n by elsewhere\r\n"
        b'From: "Help, Desk" <help@Example.com>\r\nTo: ann@example.net,\r\n =?utf-8?q?B=C3=B6b?= <bob@example.net>\r\n'
        b"Cc: team: carol@example.net, (a comment (nested)) dave@example.net;\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n"
        b"Message-ID: <1@example.com>\r\nIn-Reply-To: <0@example.net>\r\n"
        b"References: <r@example.net>\r\n <0@example.net>\r\n\r\nbody"
    )

    message = check(raw)

    assert message.sender == Address(name="Help, Desk", local="help", domain="example.com")
    assert [str(address) for address in message.to] == ["ann@example.net", "Böb <bob@example.net>"]
    assert [address.local for address in message.cc] == ["carol", "dave"]
    assert (message.subject, message.message_id, message.in_reply_to) == ("Grüße", "<1@example.com>", "<0@example.net>")
    assert message.references == ("<r@example.net>", "<0@example.net>")
    assert message.raw is raw


@pytest.mark.parametrize(
    ("raw", "error", "text"),
    [
        (b"", InvalidMessage, "no header"),
        (b"\r\nFrom: a@b.c\r\n", InvalidMessage, "no header"),
        (b"To: a@b.c\n\nx", InvalidHeader, "from: is missing"),
        (b"From: a@b.c\nFrom: d@e.f\n\nx", InvalidHeader, "from: occurs twice"),
        (b"From: a@b.c\nSubject: x\nsubject: y\n\nx", InvalidHeader, "subject: occurs twice"),
        (b"From: a@b.c, d@e.f\n\nx", InvalidHeader, "from: has 2 addresses"),
        (b"From: \n\nx", InvalidHeader, "from: has 0 addresses"),
        (b"From: a@b.c\nBcc: d@e.f\n\nx", InvalidHeader, "bcc: is in the ready mail. Remove it"),
        (b"From: a@b.c\nSubject: x\0y\n\nx", InvalidHeader, "subject: has a control character"),
        (b"From: a@b.c\nSubject: \xff\n\nx", InvalidHeader, "subject: is neither ASCII nor UTF-8"),
        (b"From someone Mon Jan  1\nFrom: a@b.c\n\nx", InvalidHeader, "mbox"),
        (b" folded\nFrom: a@b.c\n\nx", InvalidHeader, "continuation"),
        (b"From: a@b.c\nno colon here\n\nx", InvalidHeader, "is no header field"),
        (b"From: a@b.c\nSubject: " + b"x" * 1200 + b"\n\nx", InvalidHeader, "998 bytes"),
        (b"From: a@b.c\n" + b"X: y\n" * 1001 + b"\nx", TooLarge, "1000 fields"),
        (b"From: a@b.c\n" + (b"X: " + b"y" * 900 + b"\n") * 200 + b"\nx", TooLarge, "100000 bytes"),
        (b"From: a@b@c\n\nx", InvalidAddress, "from: "),
        (b"From: alice@c)evil@a\n\nx", InvalidAddress, "from: "),
        (b"From: a@b.c\nTo: <a@b.c\n\nx", InvalidAddress, "to: "),
        (b'From: a@b.c\nTo: "open <a@b.c>\n\nx', InvalidAddress, "to: a quoted string"),
        (b"From: a@b.c\nTo: x y@b.c\n\nx", InvalidAddress, "to: "),
        (b"From: a@b.c\nCc: <a@b.c> d@e.f\n\nx", InvalidAddress, "cc: text after"),
    ],
)
def test_what_cannot_go_out_is_refused_with_its_header(raw: bytes, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        check(raw)


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda tail: b"From: a@b.c\r\nTo: " + tail))
def test_whatever_bytes_come_it_answers_or_refuses(raw: bytes) -> None:
    try:
        message = check(raw)
    except InvalidSubmission:
        return
    assert message.sender is not None


@given(st.text(alphabet='a@.,:;<>()"\\ =?', max_size=60))
def test_whatever_an_address_list_looks_like_it_is_read_or_refused(value: str) -> None:
    try:
        message = check(f"From: a@b.c\r\nTo: {value}\r\n\r\n".encode())
    except InvalidSubmission:
        return
    assert all(address.local and address.domain for address in message.to)


@pytest.mark.parametrize(
    "value",
    [
        b"(" * 45_000 + b")" * 45_000,
        b",".join([b"a@b.c"] * 990),
        b"=?utf-8?q?a?= " * 6_000,
        b'"' + b"\\\\" * 40_000 + b'" <a@b.c>',
        b"a" * 90_000,
    ],
)
def test_a_hostile_header_is_done_with_quickly(value: bytes) -> None:
    """The standard library's parser needs seconds to minutes, and gigabytes, for such headers."""
    folded = b"\r\n ".join(value[start : start + 900] for start in range(0, len(value), 900))
    began = time.process_time()
    try:
        check(b"From: a@b.c\r\nTo: " + folded + b"\r\n\r\n")
    except InvalidSubmission:
        pass

    assert time.process_time() - began < 2


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "zlib", "idna", "rot13"])
def test_a_charset_that_is_none_decodes_nothing(charset: str) -> None:
    word = f"=?{charset}?q?=5Cu003cscript?="

    assert decoded(word) == word


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=80),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30),
    st.integers(0, 30),
)
def test_what_the_standard_library_writes_is_taken(subject: str, name: str, others: int) -> None:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"] = ParsedAddress(name, "help", "example.com")
    mail["To"] = [ParsedAddress(f"{name} {number}", f"user{number}", "example.net") for number in range(others + 1)]
    mail["Subject"] = subject
    mail["Message-ID"] = "<1@example.com>"
    mail.set_content("hello")

    message = check(mail.as_bytes())

    assert message.sender is not None
    assert message.sender.addr_spec == "help@example.com"
    assert [address.local for address in message.to] == [f"user{number}" for number in range(others + 1)]


def test_a_header_without_a_body_is_a_mail() -> None:
    assert check(b"From: a@b.c\r\nTo: undisclosed-recipients:;\r\n").to == ()
