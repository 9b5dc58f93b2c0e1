"""Bodies taken apart: HTML as mail programs write it, its text as people read it, and both bodies of a mail beside each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime.html import body_of, body_of_html, read
from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.lines import Kind
from ticketmail.testing.strategies import html_bodies

#: Program -> what it sends when somebody answers *Yes.* to *Is it on?*
WRITTEN = {
    "gmail": (
        '<div dir="ltr">Yes.</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" '
        'class="gmail_attr">Lorem ipsum'
        '<br></div><blockquote class="gmail_quote" style="margin:0"><div>Is it on?</div></blockquote></div>'
    ),
    "gmail before 2018": (
        '<div dir="ltr">Yes.</div><div class="gmail_extra"><br><div class="gmail_quote">2016-10-24 15:36 GMT+02:00 Ann '
        '<span>&lt;<a '
        'href="mailto:ann@example.org">ann@example.org</a>&gt;</span>:<br><blockquote class="gmail_quote">Is it '
        'on?</blockquote></div></div>'
    ),
    "outlook windows": (
        '<body lang=DE><div class=WordSection1><p class=MsoNormal>Yes.<o:p></o:p></p><p '
        'class=MsoNormal><o:p>&nbsp;</o:p></p><div><div '
        "style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal><b>Lorem:</b> "
        "Ann<br><b>Ipsum:</b> "
        "Montag</p></div></div><p class=MsoNormal>Is it on?</p></div></body>"
    ),
    "outlook web": (
        '<div>Yes.</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1"><div '
        'id="divRplyFwdMsg" '
        'dir="ltr"><font face="Calibri"><b>Lorem:</b> Ann<br></font></div><div>Is it on?</div>'
    ),
    "outlook quoted by outlook": '<div>Yes.</div><div id="x_divRplyFwdMsg"><b>Lorem:</b> Ann</div><div>Is it on?</div>',
    "outlook phone": (
        '<div>Yes.</div><div class="ms-outlook-mobile-reference-message skipProofing">Lorem: Ann</div><div>Is it '
        'on?</div>'
    ),
    "outlook mac": '<div>Yes.</div><span id="OLK_SRC_BODY_SECTION"><div>Lorem: Ann</div><div>Is it on?</div></span>',
    "new outlook": (
        '<div>Yes.</div><div id="mail-editor-reference-message-container"><div>Lorem: Ann</div><p>Is it on?</p></div>'
    ),
    "new outlook with a rule": (
        '<div>Yes.</div><hr style="display: inline-block; width: 98%;"><div id="mail-editor-reference-message-container">'
        "<div>Lorem: Ann</div><p>Is it on?</p></div>"
    ),
    "hotmail": (
        "<div>Yes.<br><hr id=\"stopSpelling\">Date: Thu, 26 Jun 2014<br>Subject: a<br>From: ann@example.org<br><br>Is it "
        "on?</div>"
    ),
    "apple": (
        '<body><div>Yes.</div><div><br><blockquote type="cite"><div>On 3. Feb 2016, at 15:35, Ann '
        '&lt;ann@example.org&gt; wrote:</div><br>'
        "<div>Is it on?</div></blockquote></div></body>"
    ),
    "thunderbird": (
        '<p>Yes.</p><div class="moz-cite-prefix">Lorem ipsum:<br></div><blockquote type="cite" cite="mid:a@b"><p>Is it '
        'on?</p></blockquote>'
    ),
    "yahoo": '<div>Yes.</div><div id="yahoo_quoted_123" class="yahoo_quoted"><div>Lorem:</div><div>Is it on?</div></div>',
    "yahoo with its prefix": (
        '<div>Yes.</div><div id="ydp1234abcdyahoo_quoted_1" class="ydp1234abcdyahoo_quoted">Is it on?</div>'
    ),
    "zimbra": (
        '<div>Yes.<br></div><hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>Lorem: '
        '</b>Ann</div><div>Is it on?</div>'
    ),
    "zoho": '<div>Yes.<div class="zmail_extra"><div>---- Lorem ipsum ----</div><blockquote>Is it on?</blockquote></div></div>',
    "gmx": '<div>Yes.<div name="quote" style="margin:10px"><div>Lorem: Ann</div><div>Is it on?</div></div></div>',
    "proton": (
        '<div>Yes.</div><div class="protonmail_quote">Lorem ipsum<br><blockquote type="cite">Is it on?</blockquote></div>'
    ),
    "tuta": '<div>Yes.<br></div><blockquote class="tutanota_quote"><div>Is it on?</div></blockquote>',
    "roundcube": '<p>Yes.</p><p id="reply-intro">Lorem ipsum:</p><blockquote type="cite"><p>Is it on?</p></blockquote>',
    "yandex": (
        '<div>Yes.</div><div>26.06.2014, 14:41, "Ann" &lt;ann@example.org&gt;:</div><blockquote><p>Is it '
        'on?</p></blockquote>'
    ),
    "front": (
        '<div>Yes.<br></div><div class="front-signature">Ann</div><blockquote class="front-blockquote">Is it '
        'on?</blockquote>'
    ),
    "outlook passed on": (
        "<div>Yes.</div><div style='border-right:none; border-left:none; border-top:1pt solid rgb(225,225,225); "
        "padding:3pt 0in 0in'><p>Lorem: Ann</p></div><p>Is it on?</p>"
    ),
    "qq": "<div>Yes.</div><div><includetail><div>Lorem</div><div>Ipsum: Ann</div></includetail></div><div>Is it on?</div>",
    "nine": '<div>Yes.</div><div id="quoted_header"><hr>Lorem: Ann</div><div>Is it on?</div>',
    "missive": '<div>Yes.</div><div class="missive_quote">Lorem<blockquote class="missive_quote">Is it on?</blockquote></div>',
    "newton": '<div>Yes.</div><blockquote class="cm_quote">Lorem<br>Is it on?</blockquote>',
    "spark": (
        '<div name="messageBodySection">Yes.</div><div name="messageSignatureSection">Lorem</div><div '
        'name="messageReplySection">Lorem ipsum:<br><blockquote type="cite">Is it on?</blockquote></div>'
    ),
    "orange": (
        "<div>Yes.</div><blockquote><p>&gt; Lorem du 04/01/16 19:03<br>&gt; De : Ann &lt;ann@example.org&gt;<br>&gt; Objet : a"
        "</p><p>Is it on?</p></blockquote>"
    ),
    "notes": (
        "<font size=2>Yes.</font><br><br><table><tr><td><b>Ann &lt;ann@example.org&gt;</b><p>04.01.2016 19:03</td><td><table><tr>"
        "<td><div>To</div><td>Lorem<tr><td><div>Subject</div><td>Lorem</table></table><br>Is it on?"
    ),
    "any language": "<div>Yes.</div><p>Lorem 04.01.2016 19:03 Ann ipsum:</p><blockquote>Is it on?</blockquote>",
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_programs_quote_in_ways_of_their_own(name):
    body = body_of_html(WRITTEN[name])
    assert body.top.startswith("Yes.")
    assert "Is it on?" not in body.top
    assert "Lorem" not in body.top
    assert "---" not in body.top
    assert "Is it on?" in body.folded()[Kind.QUOTE]


@pytest.mark.parametrize(
    "signature",
    [
        '<div class="gmail_signature" data-smartmail="gmail_signature">Ann<br>Example Ltd</div>',
        '<pre class="moz-signature" cols="72">-- \nAnn</pre>',
        '<div id="Signature"><p>Ann</p></div>',
        '<div id="ms-outlook-mobile-signature">Get Outlook for iOS</div>',
        '<div class="protonmail_signature_block"><div>Ann</div></div>',
        '<div class="front-signature">Ann</div>',
        '<div class="canary-signature">Ann</div>',
        '<div id="AppleMailSignature">Sent from my iPhone</div>',
    ],
)
def test_programs_mark_signatures(signature):
    body = body_of_html(f"<div>Yes.</div>{signature}")
    assert body.top == "Yes."
    assert Kind.SIGNATURE in body.folded()


def test_a_forward_in_gmail_is_read():
    html = (
        '<div>Please help.</div><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message '
        "---------<br>De : Ann "
        "&lt;ann@example.org&gt;<br></div>It is off.</div>"
    )
    body = body_of_html(html)
    assert "It is off." in body.top
    assert [one.kind for one in body.segments] == [Kind.VISIBLE, Kind.FORWARDED]


def test_answers_between_quotes_are_kept_with_them():
    html = '<blockquote type="cite">Is it on?</blockquote><p>Yes.</p><blockquote type="cite">Is it red?</blockquote><p>No.</p>'
    body = body_of_html(html)
    assert body.note == "interleaved"
    assert body.top == "> Is it on?\n\nYes.\n\n> Is it red?\n\nNo."


def test_answers_between_blocks_of_gmail_are_kept_with_them():
    html = (
        '<div class="gmail_quote"><div class="gmail_attr">On Monday Ann wrote:<br></div><blockquote class="gmail_quote">Is it on?'
        '</blockquote></div><div>Yes.</div><blockquote class="gmail_quote">Is it red?</blockquote><div>No.</div>'
    )
    body = body_of_html(html)
    assert body.note == "interleaved"
    assert body.top == "On Monday Ann wrote:\n\n> Is it on?\n\nYes.\n\n> Is it red?\n\nNo."


def test_a_block_that_somebody_set_in_is_their_own():
    assert body_of_html("<p>The manual says:</p><blockquote>Turn it on.</blockquote><p>It is.</p>").top.split() == (
        ["The", "manual", "says:", "Turn", "it", "on.", "It", "is."]
    )


def text_of(html: str) -> str:
    return "\n".join(line.text for line in read(html).lines)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ('<p class="MsoNormal">One</p><p class="MsoNormal">Two</p>', "One\nTwo"),
        ("One<br>Two<br><br>Three", "One\nTwo\n\nThree"),
        ("a  \n b&nbsp;<b>c</b><i> d</i>e", "a b c de"),
        ("<ul><li>One<li>Two<ul><li>Deep</ul></ul>", "- One\n- Two\n\n  - Deep"),
        ("<ol><li>One<li>Two</ol>", "1. One\n2. Two"),
        ("<table><tr><th>Name<th>Size<tr><td>a<td>1</table>", "Name | Size\na | 1"),
        ("<table><tr><td>From: <td>Ann</table>", "From: Ann"),
        ("<pre>if a:\n    b</pre>", "if a:\n    b"),
        ("One<hr>Two", "One\n--------------------------------\nTwo"),
        ("<style>p{}</style><script>x</script><title>t</title>Text", "Text"),
        ('<img alt="👍"> good <img alt="Our logo">', "👍 good"),
        ("<button>Press</button><select><option>a</select>", "Press"),
        ("Te\u200bx\u00adt", "Text"),
    ],
)
def test_html_as_text(html, text):
    assert text_of(html) == text


def mail(text: str, html: str) -> bytes:
    return (
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b\r\nContent-Type: text/html; "
        f"charset=utf-8\r\n\r\n{html}\r\n--b--\r\n"
    ).encode()


def test_bodies_that_say_different_things_are_told():
    said = "The printer on the second floor is off again, please come and look at it."
    assert body_of(parse(mail(said, f"<p>{said}</p>"))).flags == ()
    other = "Dear customer, your parcel could not be brought to you: click below."
    assert body_of(parse(mail(said, f"<p>{other}</p>"))).flags == ("bodies-differ",)
    assert body_of(parse(mail("See the HTML.", f"<p>{said}</p>"))).flags == ()


def test_a_mail_whose_html_has_no_words_is_read_by_its_text():
    body = body_of(parse(mail("Yes.", '<img src="https://example.org/a.gif">')))
    assert (body.top, body.source) == ("Yes.", "text")


def test_oddities_are_flagged():
    html = '<a href="https://evil.example">https://bank.example</a><img src="https://t.example/a"><b hidden>secret</b>'
    assert body_of_html(html).flags == ("hidden-text", "deceptive-link", "remote-content")
    assert body_of_html("<div>" * 1_000 + "a").flags == ("html-cut",)


def test_what_is_beyond_the_bounds_loses_its_tags_and_not_its_words():
    assert body_of_html("<div>" * 5_000 + "deep").top == "deep"
    assert body_of_html("<b>" * 5_000 + "bold" + "</b>" * 5_000 + "plain").top == "boldplain"
    assert "last" in body_of_html("<p>a</p>" * 40_000 + "<p>last</p>").text


@given(st.one_of(html_bodies(), st.text(max_size=500)))
def test_any_html_is_taken_apart(html):
    body = body_of_html(html, text="plain")
    assert body.top or body.note == "empty" or not any(map(str.isalnum, body.text))
