"""One mail read as a whole: what the event is made of."""

from __future__ import annotations

import sys

import pytest

from ticketmail.adapters.mime.understanding import understand

REPLY = """From: Ann <ann@example.org>
To: help@example.com
Subject: Re: Printer
Content-Type: text/html; charset=utf-8

<div>Yes.<img src="https://t.example/a"></div><span hidden>secret</span>
<div class="gmail_quote"><div class="gmail_attr">On Monday Help wrote:</div>
<blockquote class="gmail_quote">Is it on?</blockquote></div>
<div class="gmail_signature">Ann</div>
""".replace("\n", "\r\n").encode()


def test_the_body_is_told_apart_for_the_event():
    content = understand(REPLY).content
    assert content.text == "Yes."
    assert content.quoted.split() == ["On", "Monday", "Help", "wrote:", ">", "Is", "it", "on?"]
    assert content.signature == "Ann"
    assert content.hidden == "secret"
    assert "secret" not in content.html
    assert content.risks == ("hidden-text", "remote-content")


def test_files_forwards_and_reactions_are_noted():
    raw = (
        b'Subject: Fwd: Printer\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nSee this.\r\n\r\n'
        b"---------- Forwarded message ----------\r\nFrom: Bob <bob@example.org>\r\nSubject: Printer\r\n\r\nIt is off.\r\n"
        b'--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="../a.pdf.exe"\r\n\r\nMZ\r\n--b--\r\n'
    )
    reading = understand(raw)
    assert reading.on_behalf_of == "bob@example.org"
    assert [(note.name, note.flags) for note in reading.files] == [("a.pdf.exe", ("dangerous", "double-extension"))]
    assert reading.reaction is None


def test_a_reaction_is_never_answered():
    raw = b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: reaction\r\n\r\n\xf0\x9f\x91\x8d\r\n"
    reading = understand(raw)
    assert reading.reaction is not None
    assert any(one.startswith("reaction") for one in reading.against)


def test_without_the_extra_plain_text_is_read_and_html_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ticketmail.adapters.mime.html", None)
    content = understand(REPLY).content
    assert (content.text, content.html, content.risks) == ("", "", ("html-not-read",))
