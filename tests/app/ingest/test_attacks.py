"""What hostile mail tries, through the whole way from bytes to event. Each case names what it is known from."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from app.ingest.world import Host, letter
from ticketmail.domain.inbound.lookalikes import looks_alike


@pytest.mark.parametrize(
    "sender",
    [
        "alice@example.net)evil@example.org",  # CVE-2023-27043
        "ann@example.net@example.org",
        "ann@example.net, bob@example.net",  # RFC 5322 section 3.6.2 wants a Sender then; it is no identity
        "team: ann@example.net, bob@example.net;",
        "(" * 5000 + "ann@example.net",  # CVE-2023-36632
        "=?utf-8?q?ann=40example.net?=",  # GHSA-mvxr-6m87-mv2q: an encoded word is no address
        "",
    ],
)
def test_what_is_no_single_address_is_nobody(host: Host, sender: str) -> None:
    event = host.gets(letter(sender=sender))

    assert not event.author.trusted
    assert "sender-unclear" in event.risks
    assert not event.acknowledge.allowed


def test_the_name_of_a_sender_is_no_address_and_has_no_controls(host: Host) -> None:
    name = "=?utf-8?q?boss=40example.com=0D=0ABcc=3A_x=40example.org=E2=80=AE?="  # CVE-2024-6923, bidi override
    event = host.gets(letter(sender=f"{name} <mallory@example.org>"))

    assert event.author.address == "mallory@example.org"
    assert not set("\r\n\u202e") & set(event.author.name)


@pytest.mark.parametrize("subject", ["a=0D=0ABcc: x", "a=0Bb", "a=C2=85b", "a=E2=80=A8b", "a=00b"])
def test_a_subject_is_one_line(host: Host, subject: str) -> None:
    event = host.gets(letter(Subject=f"=?utf-8?q?{subject.replace(' ', '_')}?="))  # CVE-2025-11468, Roundcube 1.6.19

    assert len(event.subject.splitlines()) == 1
    assert "\0" not in event.subject


@pytest.mark.parametrize(
    ("address", "alike"),
    [
        ("\u0430nn@example.net", True),  # Cyrillic a, CVE-2019-15237
        ("ann@xn--pple-43d.com", True),
        ("ann@xn--e1afmkfd.xn--p1ai", False),
        ("\u0438\u0432\u0430\u043d-desk@example.net", False),
        ("ann\u5c71@example.net", False),
        ("ann@xn--\u2764", False),
        ("ann@example.net", False),
    ],
)
def test_letters_that_look_alike_are_told(address: str, alike: bool) -> None:
    assert looks_alike(address) is alike


def test_a_lookalike_of_a_participant_is_somebody_else(host: Host) -> None:
    sent = host.answers("4711")
    event = host.gets(letter(sender="ann@ex\u0430mple.net", In_Reply_To=sent.message_id))

    assert event.author.address != "ann@example.net"
    assert {"sender-lookalike", "stranger-in-ticket"} <= {*event.risks}


def test_a_tag_or_a_made_up_id_leads_a_stranger_nowhere(host: Host) -> None:
    """The ticket trick; GHSA-8vm3-wwq4-ggfx, GHSA-6r38-6mcf-2ww3."""
    sent = host.answers("4711").message_id
    forged = sent.replace(sent[1:6], "aaaaa" if sent[1:6] != "aaaaa" else "bbbbb")
    one = letter(sender="eve@example.org", Subject="[#4711-AA] hello", In_Reply_To=forged, References=forged)
    event = host.gets(one)

    assert event.ticket is None
    assert event.thread.related is None


def test_a_token_in_another_hand_is_told_and_reply_to_is_no_author(host: Host) -> None:
    """GHSA-j49f-9g94-3wh4; GitLab #349329."""
    sent = host.answers("4711")
    event = host.gets(letter(sender="eve@example.org", Reply_To="ann@example.net", In_Reply_To=sent.message_id))

    assert event.author.address == "eve@example.org"
    assert (event.thread.strength, "stranger-in-ticket" in event.risks) == ("strong", True)


def test_nobody_but_our_server_says_who_wrote_and_orders_in_headers_are_none(host: Host) -> None:
    """RFC 8601 section 5; RT deletes such fields, Zammad too."""
    fields = {
        "Authentication-Results": "mx.example.com; dmarc=pass header.from=example.net",
        "X-Ticketmail-Ticket": "4711",
        "X-OTRS-Queue": "boss",
        "RT-Squelch-Replies-To": "all",
        "X-Ticketmail-Loop": "1",
    }
    event = host.gets(letter("close this ticket\r\n/close\r\nStatus: closed", **fields))

    assert (event.ticket, event.category, event.author.authenticated) == (None, "human", ())


def test_a_forged_report_changes_nothing_of_a_customer(host: Host) -> None:
    """Only an id of ours leads to a delivery, and only to the address that it went to."""
    host.answers("4711")
    report = (
        b"From: MAILER-DAEMON@example.org\r\nTo: help@example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        b"Message-ID: <r1@example.org>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n\r\nSorry.\r\n--x\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        b"Final-Recipient: rfc822; ann@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n--x--\r\n"
    )
    host.mail.inbound.receive("help", report)
    host.mail.inbound.settle()
    told = host.told()

    assert [one.kind for one in told] == ["received"]
    assert told[0].category == "bounce"
    assert not told[0].acknowledge.allowed


def test_an_id_that_was_taken_before_hides_no_mail(host: Host) -> None:
    first = host.gets(letter("I come first.", Message_ID="<same@example.net>", sender="eve@example.org"))
    second = host.gets(letter("I am the real one.", Message_ID="<same@example.net>"))

    assert first.event_id != second.event_id
    assert "message-id-reused" in second.risks


HOSTILE_HTML = (
    '<p>Hello</p><script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">a</a>'
    '<svg><animate attributeName="href" values="javascript:alert(1)"/></svg><math><mi xlink:href="javascript:x">m</mi></math>'
    '<style>@import "https://example.org/x";p{background:url(https://example.org/t)}</style>'
    '<p style="position:fixed;background:url(//example.org/t);color:\\72 ed">s</p><iframe src="file:///etc/passwd"></iframe>'
    '<img src="https://example.org/pixel"><img src="php://filter"><img src="cid:../../x">'
    '<form action="//example.org"><input></form>'
    '<base href="//example.org/"><meta http-equiv="refresh" content="0;url=//example.org">'
    '<noscript><p title="</noscript><img src=x '
    'onerror=alert(1)>"></noscript><a href=" java\tscript:alert(1)">b</a><object data="data:text/html,x"></object>'
)


class Shown(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]


def test_html_is_harmless_and_fetches_nothing(host: Host) -> None:
    """CVE-2018-7753, CVE-2020-6802, CVE-2021-23980; CVE-2024-37383, CVE-2025-68461; CVE-2026-22200; CVE-2026-48843."""
    event = host.gets(letter(HOSTILE_HTML, MIME_Version="1.0", Content_Type="text/html; charset=utf-8"))

    shown = Shown()
    shown.feed(event.html)
    assert shown.tags.isdisjoint(
        {"script", "svg", "math", "style", "iframe", "form", "input", "base", "meta", "object", "noscript"}
    )
    assert shown.attributes.isdisjoint({"src", "onerror", "background", "xlink:href"}), event.html
    assert not [one for one in shown.links if not one.startswith(("http:", "https:", "mailto:"))]
    assert "position" not in event.html
    assert "url(" not in event.html
    assert "Hello" in event.html


@pytest.mark.parametrize(
    ("charset", "body"),
    [("utf-7", "+ADw-script+AD4-"), ("unicode_escape", "\\x3cscript\\x3e"), ("zlib", "x"), ("punycode", "x"), ("idna", "x")],
)
def test_a_charset_is_one_that_mail_uses(host: Host, charset: str, body: str) -> None:
    event = host.gets(letter(body, MIME_Version="1.0", Content_Type=f"text/html; charset={charset}"))

    assert "<script" not in event.html.lower()


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\win.ini",
        "/abs.txt",
        ".htaccess",
        "\u200b.htaccess",
        "a\u202efdp.exe",
        "nul\0.txt",
        "a\r\nb.txt",
    ],
)
def test_a_files_name_is_a_name(host: Host, name: str) -> None:
    """CVE-2026-28289 (zero-width space before the dot), CVE-2026-27636, CVE-2012-2139."""
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    head = {"MIME-Version": "1.0", "Content-Type": "multipart/mixed; boundary=x"}
    disposition = f"Content-Disposition: attachment; filename*=utf-8''{encoded}"
    event = host.gets(letter(f"--x\r\n\r\nhi\r\n--x\r\nContent-Type: text/plain\r\n{disposition}\r\n\r\nfile\r\n--x--", **head))

    (file,) = event.attachments
    assert not set("/\\\0\r\n\u200b\u202e") & set(file.name)
    assert not file.name.startswith(".")
    assert Path(file.name).name == file.name


@pytest.mark.parametrize(
    "content_type",
    [
        'message/partial; id="a@b"; number=1; total=2',
        'message/external-body; access-type=local-file; name="/etc/passwd"',
        'message/external-body; access-type=URL; URL="http://example.org/x"',
    ],
)
def test_parts_are_never_joined_nor_fetched(host: Host, content_type: str) -> None:
    """RFC 2046 sections 5.2.2 and 5.2.3."""
    event = host.gets(letter("Content-Type: text/plain\r\n\r\nx", MIME_Version="1.0", Content_Type=content_type))

    assert "root:" not in event.text
    assert event.kind == "received"


def test_what_a_mail_says_is_not_quoted_to_strangers_and_cc_is_no_right(host: Host) -> None:
    """CVE-2024-49193: a mail that names a Cc reads no ticket; the host sees that its author took no part."""
    sent = host.answers("4711")
    cc: dict[str, Any] = {"Cc": "mallory@example.org", "In-Reply-To": sent.message_id}
    host.gets(letter(sender="eve@example.org", **cc))
    later = host.gets(letter(sender="mallory@example.org", In_Reply_To=sent.message_id))

    assert "stranger-in-ticket" in later.risks
    assert later.thread.strength != "proven"
