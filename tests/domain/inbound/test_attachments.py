"""Attachments before anybody opens them: names, and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.inbound.attachments import MAX_NAME_BYTES, fit_name, note_of, notes_of
from ticketmail.domain.inbound.mail import ContentType, ParsedMail, Part


def part(name: str | None, kind: str = "application/octet-stream", content: bytes = b"a", sniffed: str = "", **more: str) -> Part:
    return Part("1", ContentType(kind), filename=name, content=content, sniffed=sniffed, **more)


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("report.pdf", "report.pdf"),
        ("größe 2.csv", "größe 2.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\a.dll", "a.dll"),
        ("a\x00b\r\n.txt", "a_b__.txt"),
        ("a\u202efdp.exe", "afdp.exe"),
        (".htaccess", "htaccess"),
        ("\u200b.htaccess", "htaccess"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        ("a<b>:c?.txt", "a_b__c_.txt"),
        ("...", "attachment"),
        ("/", "attachment"),
        ("a" * 300 + ".pdf", "a" * 196 + ".pdf"),
    ],
)
def test_names_are_made_fit(name, fit):
    assert fit_name(name) == fit


@given(st.text(max_size=400))
def test_any_name_is_fit_and_stays_so(name):
    fit = fit_name(name)
    assert fit
    assert len(fit.encode()) <= MAX_NAME_BYTES + 1
    assert not set(fit) & set('/\\\x00\r\n<>:"|?*')
    assert not fit.startswith(".")
    assert fit_name(fit) == fit


@pytest.mark.parametrize(
    ("given_part", "flags"),
    [
        (part("report.pdf", sniffed="application/pdf"), ()),
        (part("setup.exe", sniffed="application/vnd.microsoft.portable-executable"), ("dangerous",)),
        (part("invoice.pdf.exe"), ("dangerous", "double-extension")),
        (part("picture.png", sniffed="application/vnd.microsoft.portable-executable"), ("dangerous", "type-mismatch")),
        (part("report.pdf", sniffed=""), ("type-mismatch",)),
        (part("note.txt", sniffed=""), ()),
        (part("note.txt", sniffed="application/zip"), ("archive", "type-mismatch")[1:]),
        (part("page.html", "text/html", sniffed="text/html"), ("active",)),
        (part("a.svg", "image/svg+xml"), ("active",)),
        (part("sheet.xlsm", sniffed="application/zip"), ("macros", "archive")),
        (part("a.zip", sniffed="application/zip"), ("archive",)),
        (part("letter.docx", sniffed="application/zip"), ()),
        (part("v1.2.zip", sniffed="application/zip"), ("archive",)),
        (part("empty.txt", content=b""), ("empty",)),
        (part("../a.txt"), ("renamed",)),
        (part(None), ()),
    ],
    ids=lambda value: value.filename if isinstance(value, Part) else None,
)
def test_what_is_said_of_a_file(given_part, flags):
    assert note_of(given_part).flags == flags


LOGO = b"\x89PNG" + b"a" * 100


def picture(name: str, content: bytes = LOGO, content_id: str | None = "a@b") -> Part:
    return Part("1", ContentType("image/png"), "inline", name, content_id, content, sniffed="image/png")


@pytest.mark.parametrize("name", ["image001.png", "logo.png", "Company-Logo_2024.png", "facebook.png", "Outlook-a1b2c3.png"])
def test_small_images_of_signatures_are_known(name):
    assert note_of(picture(name), shown=True).flags == ("shown", "signature-image")


@pytest.mark.parametrize(
    "image", [picture("screenshot.png"), picture("image001.png", LOGO * 1_000), picture("logo.png", content_id=None)]
)
def test_other_images_are_not(image):
    plain = Part(
        image.path,
        image.content_type,
        "attachment" if image.content_id is None else "inline",
        image.filename,
        image.content_id,
        image.content,
    )
    assert "signature-image" not in note_of(plain).flags


def test_an_image_that_is_attached_twice_is_of_the_signature():
    mail = ParsedMail(attachments=(picture("x.png"), picture("y.png"), part("a.txt")))
    assert [note.flags for note in notes_of(mail, {"a@b"})] == [("shown", "signature-image"), ("shown", "signature-image"), ()]
