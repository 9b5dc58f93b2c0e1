"""The renderer, case by case."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from ticketmail.adapters.mime import MimeRenderer
from ticketmail.adapters.mime.headers import verified
from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidHeader, InvalidMessage
from ticketmail.domain.message import Attachment, Message

OURS = (("Date", "Tue, 24 Nov 2026 18:00:00 +0000"), ("Message-ID", "<token.1@example.com>"), ("X-Ticketmail", "4711"))


def message(**fields: object) -> Message:
    return Message(
        **{"sender": "help@example.com", "to": "ann@example.net", "subject": "Your printer", "text": "On its way.", **fields}
    )


def lax(name: str = "", local: str = "ann", domain: str = "example.net") -> Address:
    """An address that nobody has checked: the renderer does not rely on others."""
    return Address.model_construct(name=name, local=local, domain=domain)


def rendered(mail: Message, **options: object) -> bytes:
    return MimeRenderer().render(mail, **{"headers": OURS, "contents": {}, "seed": "s", **options})


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def header(data: bytes) -> str:
    return data.partition(b"\r\n\r\n")[0].decode()


def structure(part: EmailMessage) -> object:
    if part.is_multipart():
        return (part.get_content_subtype(), [structure(below) for below in part.iter_parts()])
    return part.get_content_type()


def test_a_plain_mail_is_these_bytes() -> None:
    assert rendered(message()) == (
        b"Date: Tue, 24 Nov 2026 18:00:00 +0000\r\n"
        b"Message-ID: <token.1@example.com>\r\n"
        b"X-Ticketmail: 4711\r\n"
        b"From: help@example.com\r\n"
        b"To: ann@example.net\r\n"
        b"Subject: Your printer\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"On its way.\r\n"
    )


def test_text_html_inline_images_and_attachments_nest_as_readers_expect() -> None:
    mail = message(
        html='<img src="cid:logo">',
        attachments=(
            Attachment(filename="bill.pdf", content=b"%PDF", content_type="application/pdf"),
            Attachment(filename="logo.png", content=b"png", content_type="image/png", content_id="logo"),
        ),
    )

    tree = structure(parsed(rendered(mail)))

    assert tree == (
        "mixed",
        [("alternative", ["text/plain", ("related", ["text/html", "image/png"])]), "application/pdf"],
    )


def test_an_inline_image_has_its_content_id_and_is_inline() -> None:
    logo = Attachment(filename="logo.png", content=b"png", content_type="image/png", content_id="<logo>")

    image = next(part for part in parsed(rendered(message(html="<p>", attachments=(logo,)))).walk() if part.get_filename())

    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo>", "inline")


def test_an_inline_image_without_html_is_an_attachment_of_the_text() -> None:
    logo = Attachment(filename="logo.png", content=b"png", content_type="image/png", content_id="logo")

    assert structure(parsed(rendered(message(attachments=(logo,))))) == ("mixed", ["text/plain", "image/png"])


def test_contents_by_blob_and_by_reference_are_filled_in() -> None:
    mail = message(attachments=(Attachment(filename="a", blob="sha"), Attachment(filename="b", reference="s3://b")))

    parts = parsed(rendered(mail, contents={"sha": b"A", "s3://b": b"B"}))

    assert [part.get_content() for part in parts.iter_attachments()] == [b"A", b"B"]


def test_a_content_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidMessage, match=r"'a\.pdf' is missing"):
        rendered(message(attachments=(Attachment(filename="a.pdf", blob="sha"),)))


def test_bcc_is_never_written() -> None:
    assert b"hidden" not in rendered(message(bcc="hidden@example.com"))


@pytest.mark.parametrize("name", ["Bcc", "resent-bcc"])
def test_a_bcc_among_our_headers_is_refused(name: str) -> None:
    with pytest.raises(InvalidHeader, match="never written"):
        rendered(message(), headers=((name, "hidden@example.com"),))


@pytest.mark.parametrize(
    "value", ["a\r\nBcc: x@y.z", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x85b", "a\u2028b", "a\x7fb", "a\ud800b"]
)
@pytest.mark.parametrize("place", ["subject", "header", "ours", "name"])
def test_a_line_break_or_control_character_is_refused_anywhere(place: str, value: str) -> None:
    ours = OURS
    mail = message()
    if place == "subject":
        mail = message(subject=value)
    elif place == "header":
        mail = message(headers={"X-Note": value})
    elif place == "ours":
        ours = (("X-Note", value),)
    else:
        mail = message(sender=lax(value))

    with pytest.raises(InvalidHeader, match="line break or control character"):
        rendered(mail, headers=ours)


@pytest.mark.parametrize("name", ["X Note", "X:Note", "", "Ü", "X\r\nY"])
def test_a_header_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidHeader, match="not a header name"):
        rendered(message(headers={name: "x"}))


@pytest.mark.parametrize("name", ["From", "bcc", "Message-ID", "Content-Type", "Date", "MIME-Version", "Received"])
def test_an_extra_header_that_the_library_sets_is_refused(name: str) -> None:
    with pytest.raises(InvalidHeader, match="set by the library"):
        rendered(message(headers={name: "x"}))


def test_an_encoded_word_in_a_subject_stays_text() -> None:
    """A forged =?…?= must not decode to something else (CVE-2024-6923 grew from one)."""
    forged = "=?utf-8?q?hi=0ABcc:_x@y.z?="

    data = rendered(message(subject=forged))

    assert parsed(data)["Subject"] == forged
    assert parsed(data)["Bcc"] is None


def test_the_produced_block_is_looked_at_again() -> None:
    with pytest.raises(InvalidHeader, match="do not come out"):
        verified("Subject: a\r\nBcc: x@y.z\r\n", ["Subject"])
    with pytest.raises(InvalidHeader, match="line break or NUL"):
        verified("Subject: a\nBcc: x@y.z\r\n", ["Subject"])
    with pytest.raises(InvalidHeader, match="empty line"):
        verified("Subject: a\r\n\r\nbody\r\n", ["Subject"])


def test_ours_win_over_what_the_message_implies() -> None:
    data = rendered(
        message(message_id="host@example.com", reply_to="team@example.com"), headers=(*OURS, ("Reply-To", "t+1@example.com"))
    )

    mail = parsed(data)
    assert mail.get_all("Message-ID") == ["<token.1@example.com>"]
    assert mail.get_all("Reply-To") == ["t+1@example.com"]


def test_the_messages_own_ids_get_their_brackets() -> None:
    mail = message(message_id="host@example.com", in_reply_to="<q@example.net>", references=("r@example.net", "<q@example.net>"))

    text = header(rendered(mail, headers=()))

    assert "Message-ID: <host@example.com>\r\n" in text
    assert "In-Reply-To: <q@example.net>\r\n" in text
    assert "References: <r@example.net> <q@example.net>\r\n" in text


def test_many_references_are_folded() -> None:
    references = tuple(f"<message.{number}@mail.example.com>" for number in range(40))

    text = header(rendered(message(references=references)))

    assert max(map(len, text.split("\r\n"))) <= 78
    assert parsed(text.encode())["References"].split() == list(references)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (Address(name="Ann Example", local="ann", domain="example.net"), "Ann Example <ann@example.net>"),
        (Address(name="Example, Ann", local="ann", domain="example.net"), '"Example, Ann" <ann@example.net>'),
        (Address(name='Ann "A" \\', local="ann", domain="example.net"), '"Ann \\"A\\" \\\\" <ann@example.net>'),
        (Address(name="Änn", local="ann", domain="example.net"), "=?utf-8?q?=C3=84nn?= <ann@example.net>"),
        (lax(local="a b"), '"a b"@example.net'),
        (Address(local='"a b"', domain="example.net"), '"a b"@example.net'),
        (Address(local="ann", domain="exämple.de"), "ann@xn--exmple-cua.de"),
        (Address(local="ann", domain="straße.de"), "ann@xn--strae-oqa.de"),
        (Address(local="änn", domain="exämple.de"), "änn@exämple.de"),
    ],
)
def test_addresses_are_quoted_and_encoded(address: Address, shown: str) -> None:
    assert f"\r\nTo: {shown}\r\n" in header(rendered(message(to=address)))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\n", "7bit"),
        ("x" * 78, "7bit"),
        ("x" * 79, "quoted-printable"),
        ("Grüße aus der Werkstatt, der Drucker ist wieder da.", "quoted-printable"),
        ("Ваш принтер уже в пути.", "base64"),
        ("nul \0 here", "quoted-printable"),
    ],
)
def test_the_transfer_encoding_follows_the_content(text: str, encoding: str) -> None:
    mail = parsed(rendered(message(text=text)))

    assert mail["Content-Transfer-Encoding"] == encoding
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


def test_an_attached_mail_is_not_base64() -> None:
    inner = b"From: a@example.com\nSubject: inner\n\nGr\xc3\xbc\xc3\x9fe\n"
    attachment = Attachment(filename="mail.eml", content=inner, content_type="message/rfc822")

    mail = parsed(rendered(message(attachments=(attachment,))))

    (part,) = mail.iter_attachments()
    assert part["Content-Transfer-Encoding"] == "8bit"
    assert part.get_content()["Subject"] == "inner"
    assert mail["Content-Transfer-Encoding"] == "8bit"


def test_an_attached_mail_with_endless_lines_travels_as_a_file() -> None:
    attachment = Attachment(filename="mail.eml", content=b"Subject: x\n\n" + b"y" * 2000, content_type="message/rfc822")

    (part,) = parsed(rendered(message(attachments=(attachment,)))).iter_attachments()

    assert part.get_content_type() == "application/octet-stream"
    assert part.get_content() == attachment.content


def test_a_file_name_is_there_for_old_and_new_readers() -> None:
    data = rendered(message(attachments=(Attachment(filename="Übersicht.pdf", content=b"x"),)))

    assert b'filename="Ubersicht.pdf"' in data
    assert b"filename*=utf-8''%C3%9Cbersicht.pdf" in data


def test_a_very_long_file_name_is_split_lawfully() -> None:
    name = "ü" * 250 + ".pdf"

    data = rendered(message(attachments=(Attachment(filename=name, content=b"x"),)))

    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert next(parsed(data).iter_attachments()).get_filename() == name


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment(filename="a\r\nX: y", content=b""),
        Attachment(filename="a", content=b"", content_type="text/plain\r\nX: y"),
        Attachment(filename="a", content=b"", content_type="pdf"),
        Attachment(filename="a", content=b"", content_id="a b"),
        Attachment(filename="a", content=b"", content_id="a>\r\nX: y"),
    ],
)
def test_an_attachment_that_would_forge_a_header_is_refused(attachment: Attachment) -> None:
    with pytest.raises(InvalidMessage, match="attachments"):
        rendered(message(html="<p>", attachments=(attachment,)))


def test_a_boundary_that_a_text_contains_is_not_used() -> None:
    first = parsed(rendered(message(html="<p>"))).get_boundary()
    assert first is not None

    data = rendered(message(text=f"--{first}", html="<p>"))

    assert parsed(data).get_boundary() != first
    assert parsed(data).get_body(("plain",)).get_content().strip() == f"--{first}"


def test_a_mail_without_text_and_html_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="neither text nor html"):
        rendered(message(text=None))


def test_half_a_character_is_refused_with_its_field() -> None:
    with pytest.raises(InvalidMessage, match=r"html: .*surrogates"):
        rendered(message(html="\ud800"))


RAW = b"From: help@example.com\nMessage-ID: <own@example.com>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nX-Own: a\n\nbody \xff\n.\n"


def test_ready_bytes_are_kept_with_ours_in_front() -> None:
    data = rendered(Message(raw=RAW), headers=(("X-Ticketmail", "4711"),))

    assert data == b"X-Ticketmail: 4711\r\n" + RAW.replace(b"\n", b"\r\n")


def test_ready_bytes_keep_their_own_message_id_and_date() -> None:
    mail = parsed(rendered(Message(raw=RAW)))

    assert mail.get_all("Message-ID") == ["<own@example.com>"]
    assert len(mail.get_all("Date")) == 1


def test_bare_line_ends_of_ready_bytes_become_crlf() -> None:
    data = rendered(Message(raw=b"From: a@b.c\rX: y\n\r\nz\r.\rw"), headers=())

    assert data == b"From: a@b.c\r\nX: y\r\n\r\nz\r\n.\r\nw"


def test_a_bcc_in_ready_bytes_is_refused() -> None:
    with pytest.raises(InvalidHeader, match="envelope"):
        rendered(Message(raw=b"From: a@b.c\nBcc: x@y.z\n\nz"))
