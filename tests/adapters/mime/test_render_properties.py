"""Whatever a message holds, an independent parser reads the same back, and the bytes are a lawful mail."""

from __future__ import annotations

import email
import email.policy
import re
from email.headerregistry import Address as ParsedAddress
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from ticketmail.adapters.mime import MimeRenderer
from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidHeader
from ticketmail.domain.message import Attachment, Message

OURS = (("Date", "Tue, 24 Nov 2026 18:00:00 +0000"), ("Message-ID", "<token.1@example.com>"))

_TEXT = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
_SEEN = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"))
_LINE = st.text(_TEXT, max_size=120)
_BODY = st.text(st.one_of(_TEXT, st.sampled_from("\n.= \t-")), max_size=400)
_NAME = st.text(_SEEN, max_size=50).map(lambda name: re.sub(r"\s+", " ", name).strip())
_ATOM = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+_-", min_size=1, max_size=20).filter(
    lambda atom: not (atom.startswith(".") or atom.endswith(".") or ".." in atom)
)
_DOMAIN = st.sampled_from(["example.com", "mail.example.net", "xn--exmple-cua.de"])
_ADDRESS = st.builds(lambda name, local, domain: Address(name=name, local=local, domain=domain), _NAME, _ATOM, _DOMAIN)
_FILENAME = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs")), min_size=1, max_size=60)
_ATTACHMENT = st.builds(
    lambda name, content, kind: Attachment(filename=name, content=content, content_type=kind),
    _FILENAME,
    st.binary(max_size=300),
    st.sampled_from(["application/pdf", "image/png", "text/csv", "application/octet-stream", "multipart/mixed"]),
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    text = draw(st.none() | _BODY)
    html = draw(_BODY if text is None else st.none() | _BODY)
    return Message(
        sender=draw(_ADDRESS),
        to=tuple(draw(st.lists(_ADDRESS, min_size=1, max_size=4))),
        cc=tuple(draw(st.lists(_ADDRESS, max_size=2))),
        bcc=(Address(local="hidden", domain="secret.example"),),
        subject=draw(_LINE),
        text=text,
        html=html,
        attachments=tuple(draw(st.lists(_ATTACHMENT, max_size=2))),
    )


def rendered(message: Message, seed: str = "seed") -> bytes:
    return MimeRenderer().render(message, headers=OURS, contents={}, seed=seed)


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def words(text: str) -> str:
    """Blanks at the ends mean nothing in a header, and Python's parser reads other blanks (NBSP) at a fold its own way."""
    return re.sub(r"\s+", " ", text).strip()


def squeezed(name: str) -> str:
    """Python before 3.13 keeps the blank between two encoded words of a name (RFC 2047 section 6.2 drops it)."""
    return re.sub(r"\s+", "", name)


def body_of(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else text + "\n"


@given(messages())
def test_subject_and_bodies_come_back(message: Message) -> None:
    mail = parsed(rendered(message))

    assert words(mail["Subject"] or "") == words(message.subject)
    for subtype, expected in (("plain", message.text), ("html", message.html)):
        part = mail.get_body((subtype,))
        if expected is not None:
            assert part is not None
            assert part.get_content().replace("\r\n", "\n") == body_of(expected)


@given(messages())
def test_addresses_and_names_come_back(message: Message) -> None:
    mail = parsed(rendered(message))

    for header, expected in (("From", (message.sender,)), ("To", message.to), ("Cc", message.cc)):
        found: tuple[ParsedAddress, ...] = mail[header].addresses if mail[header] is not None else ()
        assert [address.addr_spec for address in found] == [address.addr_spec for address in expected if address]
        assert [squeezed(address.display_name) for address in found] == [
            squeezed(address.name) for address in expected if address
        ]


@given(messages())
def test_our_own_reader_gets_addresses_and_subject_back_exactly(message: Message) -> None:
    read = MimeRenderer().check_raw(rendered(message))

    assert (read.sender, read.to, read.cc) == (message.sender, message.to, message.cc)
    assert read.subject == message.subject.strip()


@given(messages())
def test_attachments_come_back_byte_for_byte_with_their_names(message: Message) -> None:
    mail = parsed(rendered(message))

    found = [(part.get_filename(), part.get_payload(decode=True)) for part in mail.walk() if part.get_filename() is not None]
    assert found == [(item.filename, item.content) for item in message.attachments]


@given(messages())
def test_the_bytes_are_a_lawful_mail(message: Message) -> None:
    data = rendered(message)

    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    assert b"\0" not in data
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"secret.example" not in data
    assert not [defect for part in parsed(data).walk() for defect in part.defects]


@given(messages())
def test_header_lines_are_folded_at_78_where_a_blank_allows_it(message: Message) -> None:
    header = rendered(message).partition(b"\r\n\r\n")[0]

    for line in header.split(b"\r\n"):
        assert len(line) <= 78 or b" " not in line.strip().partition(b": ")[2]


@given(messages(), st.text(max_size=20))
def test_the_same_input_gives_the_same_bytes(message: Message, seed: str) -> None:
    assert rendered(message, seed) == rendered(message, seed)


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_text_either_renders_safely_or_is_refused_with_its_field(subject: str, name: str) -> None:
    message = Message(
        sender=Address.model_construct(name=name, local="help", domain="example.com"),
        to="ann@example.net",
        subject=subject,
        text="x",
    )
    try:
        data = rendered(message)
    except InvalidHeader as error:
        assert error.field in ("Subject", "From")  # noqa: PT017 - rendering is as lawful an end
        return
    names = [line.partition(b":")[0] for line in data.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    allowed = [b"Date", b"Message-ID", b"From", b"To", b"Subject", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"]
    assert names == [name for name in allowed if name != b"Subject" or subject.strip()]


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=300, max_size=2000))
def test_a_very_long_subject_comes_back(subject: str) -> None:
    mail = email.message_from_bytes(
        rendered(Message(sender="help@example.com", to="ann@example.net", subject=subject, text="x")), policy=email.policy.default
    )

    assert words(mail["Subject"] or "") == words(subject)
