"""Two mails are the same one when their authors' programs wrote the same, whatever servers added; else never."""

from __future__ import annotations

import pytest

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.identity import content_key, event_id
from ticketmail.domain.inbound.mail import ParsedMail

MAIL = b"From: ann@example.net\r\nTo: help@example.com\r\nSubject: a\r\n b\r\nMessage-ID: <1@x>\r\n\r\nHi.\r\n"


def key(raw: bytes) -> str:
    return content_key(parse(raw), raw)


@pytest.mark.parametrize(
    "copy",
    [
        b"Received: from x\r\nDelivered-To: help@example.com\r\n" + MAIL,
        MAIL.replace(b"\r\n", b"\n"),
        MAIL + b"\r\n\r\n",
        MAIL.replace(b"a\r\n b", b"a b"),
        b"Authentication-Results: mx; none\r\n" + MAIL,
    ],
)
def test_what_servers_add_makes_no_other_mail(copy: bytes) -> None:
    assert key(copy) == key(MAIL)


@pytest.mark.parametrize(
    ("old", "new"), [(b"Hi", b"Ho"), (b"ann@", b"eve@"), (b"Subject: a", b"Subject: c"), (b"To: help", b"To: sales")]
)
def test_other_words_make_another_mail(old: bytes, new: bytes) -> None:
    assert key(MAIL.replace(old, new)) != key(MAIL)


def test_mails_without_a_header_are_told_apart_by_all_of_their_bytes() -> None:
    one, two = b"X: 1\r\n\r\nsame body", b"X: 2\r\n\r\nsame body"

    assert content_key(ParsedMail(), one) != content_key(ParsedMail(), two)


def test_an_event_is_of_one_mailbox_and_tenant() -> None:
    ids = {event_id(tenant, box, "1@x", "k") for tenant in ("", "acme") for box in ("help", "sales")}

    assert len(ids) == 4
