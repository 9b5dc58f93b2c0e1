"""A mail that we rendered comes apart into what it was made of; any other is read, or refused in one way."""

from __future__ import annotations

import contextlib
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mime.test_render_properties import messages, rendered
from ticketmail.adapters._http.apart import Sealed, taken_apart
from ticketmail.adapters.mime.addresses import ascii_route
from ticketmail.adapters.resend.api import Resend
from ticketmail.adapters.sendgrid.api import SendGrid
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.ports.sending import Outgoing


def of(text: str | None) -> str | None:
    """As mail has it: every line ends."""
    return None if text is None else text if text.endswith("\n") else f"{text}\n"


@given(messages())
def test_what_was_rendered_comes_apart_as_it_was(message: Message) -> None:
    parts = taken_apart(rendered(message))

    assert (parts.text, parts.html) == (of(message.text), of(message.html))
    assert [one.content for one in parts.files] == [one.content for one in message.attachments]
    assert [one.name for one in parts.files] == [one.filename for one in message.attachments]
    for found, given_ in ((parts.to, message.to), (parts.cc, message.cc)):
        assert [(one.address, one.name) for one in found] == [(ascii_route(one.addr_spec), one.name) for one in given_]
    assert parts.headers == (("Message-ID", "<token.1@example.com>"),)


@given(messages(), st.integers(0, 7))
def test_each_recipient_of_the_envelope_is_written_to_once_and_nobody_else(message: Message, chosen: int) -> None:
    known = list(dict.fromkeys(one.addr_spec for one in (*message.to, *message.cc, *message.bcc)))
    recipients = tuple(one for place, one in enumerate(known) if place % 3 != chosen % 3) or (known[0],)
    mail = Outgoing(UUID(int=1), "<a@b>", "help@example.com", recipients, rendered(message))

    groups = json.loads(SendGrid().mail(mail).body)["personalizations"]
    written = [one["email"] for group in groups for kind in ("to", "cc", "bcc") for one in group.get(kind, ())]

    assert sorted(one.lower() for one in written) == sorted({ascii_route(one).lower() for one in recipients})
    assert all(group["to"] for group in groups)


HEADS = [
    "From: a@b.c",
    "From: =?utf-8?q?=ff?= <a@b>",
    "To: a@[, b",
    "Content-Type: multipart/mixed",
    "Content-Type: text/plain; charset=x",
]
MIMES = st.builds(
    lambda heads, body: "\r\n".join(heads).encode() + b"\r\n\r\n" + body,
    st.lists(st.sampled_from(HEADS)),
    st.binary(max_size=200),
)


@given(MIMES | st.binary(max_size=300))
def test_whatever_a_host_gives_ready_is_read_or_refused(mime: bytes) -> None:
    with contextlib.suppress(Sealed):
        taken_apart(mime)


def test_a_mail_within_a_mail_stays_whole() -> None:
    inner = b"From: a@example.com\r\nSubject: inner\r\n\r\nbody\r\n"
    file = Attachment(filename="inner.eml", content_type="message/rfc822", content=inner)
    parts = taken_apart(rendered(Message(sender="a@example.com", to="b@example.net", text="x", attachments=(file,))))

    assert parts.text == "x\n"
    assert [(one.name, one.content_type, one.content) for one in parts.files] == [("inner.eml", "message/rfc822", inner)]


def test_nesting_without_end_is_refused() -> None:
    mime = b"From: a@example.com\r\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(30)
    )

    with pytest.raises(Sealed, match="nested"):
        taken_apart(mime)


def test_names_of_others_never_reach_who_is_written_to_alone() -> None:
    mime = rendered(Message(sender="a@example.com", to="b@example.net", text="x"))

    body = Resend().mail(Outgoing(UUID(int=1), "<a@b>", "", ("hidden@example.org",), mime)).body

    assert b"b@example.net" not in body
