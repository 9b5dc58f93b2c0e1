"""Hypothesis strategies: what hosts hand over and what the world answers. Needs the extra ``testing``."""

from __future__ import annotations

import uuid

from hypothesis import strategies as st

from ticketmail.domain.address import Address
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.ports.accepting import Entry
from ticketmail.domain.submission import Submission

_LABEL = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
_ATOM = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9+_=-]{0,20}", fullmatch=True)
#: Text as people write it: no control characters (line breaks are added where they may stand), no surrogates.
_TEXT = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=60)


def addresses() -> st.SearchStrategy[Address]:
    """Addresses that mail can be sent to, some with a display name."""
    domains = st.lists(_LABEL, min_size=2, max_size=3).map(".".join)
    names = st.sampled_from(["", "Ann Example", "Example, Ann", "Zoë Müller", 'A "quoted" name'])
    return st.builds(Address, name=names, local=_ATOM, domain=domains)


def attachments() -> st.SearchStrategy[Attachment]:
    """Small files with bytes of any kind."""
    names = st.sampled_from(["a.txt", "report.pdf", "größe.csv", "no extension"])
    kinds = st.sampled_from(["application/octet-stream", "text/plain", "image/png"])
    return st.builds(Attachment, filename=names, content_type=kinds, content=st.binary(max_size=200))


def messages() -> st.SearchStrategy[Message]:
    """Messages that are accepted: a sender, one to three recipients, text or HTML or both."""
    bodies = st.lists(_TEXT, max_size=4).map("\n".join)
    return st.builds(
        Message,
        sender=addresses(),
        to=st.lists(addresses(), min_size=1, max_size=3, unique_by=lambda one: one.key).map(tuple),
        subject=_TEXT,
        text=bodies.map(lambda text: text + "."),
        html=st.none() | bodies.map(lambda text: f"<p>{text}</p>"),
        attachments=st.lists(attachments(), max_size=2).map(tuple),
    )


def submissions() -> st.SearchStrategy[Submission]:
    """Submissions that are accepted, in the shipped lanes."""
    return st.builds(
        Submission,
        message=messages(),
        ticket=st.none() | _ATOM,
        lane=st.sampled_from(["code", "reply", "notice", "digest", "bulk"]),
        key=st.none() | st.uuids().map(str),
        tenant=st.sampled_from(["", "acme"]),
    )


def outcomes() -> st.SearchStrategy[Outcome]:
    """What a gateway may report of one recipient."""
    codes = st.sampled_from([421, 450, 451, 452, 454, 535, 550, 552, 554, 571])
    texts = st.sampled_from(["no", "try again later", "user unknown", "rate limit exceeded", "spam"])
    replies = st.builds(Reply, code=codes, text=texts, enhanced=st.sampled_from(["", "4.7.1", "5.1.1", "5.7.1"]))
    waits = st.none() | st.floats(0, 3600)
    phases = st.sampled_from(list(Phase))
    return st.one_of(
        st.builds(Taken, remote_id=_ATOM),
        st.builds(Refused, reply=replies, phase=phases, retry_after_s=waits),
        st.builds(NotReached, error=st.just("connection refused"), phase=st.just(Phase.CONNECT), tls=st.booleans()),
        st.builds(Unclear, error=st.just("cut after the dot")),
    )


def entries() -> st.SearchStrategy[Entry]:
    """Compiled submissions, as a spool takes them."""
    return st.builds(
        Entry,
        submission_id=st.uuids(version=4),
        message_id=st.uuids().map(lambda one: f"<{uuid.UUID(int=one.int).hex}@example.com>"),
        sender=st.just("help@example.com"),
        route=st.sampled_from(["*", "help@example.com"]),
        lane=st.sampled_from(["reply", "bulk"]),
        lane_weight=st.sampled_from([1, 32]),
        return_path=st.sampled_from(["", "help@example.com"]),
        recipients=st.lists(addresses(), min_size=1, max_size=3, unique_by=lambda one: one.key).map(
            lambda found: tuple(one.addr_spec for one in found)
        ),
        body=st.binary(max_size=100),
        fingerprint=st.binary(min_size=32, max_size=32),
        size_bytes=st.integers(1, 10_000),
        lifetime_us=st.integers(1_000_000, 10**12),
        tenant=st.sampled_from(["", "acme"]),
        ticket=st.none() | st.sampled_from(["1", "2"]),
    )


_SAID = st.sampled_from(
    ["Yes.", "It is on.", "Grüße", "こんにちは", "1. first", ":-)", "", "See <https://example.org/a", "From: Rome"]
)
_MARKS = st.sampled_from(
    [
        "> Is it on?",
        ">> deeper",
        "On Mon, Feb 1, 2016 at 6:32 PM, Ann <ann@example.org> wrote:",
        "Am 03.02.2016 um 15:35 schrieb Ann Beispiel:",
        "ann@example.org>",
        "wrote:",
        "-----Original Message-----",
        "---------- Forwarded message ----------",
        "From: Ann <ann@example.org>",
        "Sent: Monday",
        "Subject: Printer",
        "##- Please type your reply above this line -##",
        "-- ",
        "--",
        "_____",
        "Sent from my iPhone",
        "This e-mail and any attachments are confidential.",
    ]
)


def quoted_mails() -> st.SearchStrategy[str]:
    """Plain texts of replies: what people say, and what mail programs put around quotes, in any order."""
    return st.lists(st.one_of(_SAID, _MARKS, _TEXT), max_size=30).map("\n".join)


_WORDS_OF_TAGS = """
div p b i a font span blockquote table tr td ul ol li pre h1 center br hr img svg math mtext style script textarea title noscript
template select option form input button iframe o:p body html
"""
_TAGS = _WORDS_OF_TAGS.split()
_ATTRIBUTES = (
    "",
    ' href="javascript:alert(1)"',
    ' href="https://example.org/?a=1&amp;b"',
    ' href="data:text/html,a"',
    " href=' java\tscript:alert(1)'",
    ' src="https://example.org/a.png"',
    ' src="cid:logo@example.org"',
    ' src="data:image/svg+xml,<svg onload=alert(1)>"',
    " onclick=alert(1)",
    ' style="display:none"',
    ' style="color:#fff"',
    ' style="background:url(https://example.org/a)"',
    ' style="position:fixed;top:0"',
    ' style="font-size:0"',
    ' class="gmail_quote"',
    ' class="moz-cite-prefix"',
    ' id="divRplyFwdMsg"',
    " type=cite",
    ' alt="\U0001f600"',
    ' title="<img src=x onerror=alert(1)>"',
    ' width="100%"',
)
_BROKEN = st.sampled_from(
    ["<!--", "-->", "<![CDATA[", "]]>", "<?xml", "</", "<", ">", '"', "'", "&", "&lt;", "&#x3c;", "&nbsp;", "\x00", "<a", "\n"]
)


def html_bodies() -> st.SearchStrategy[str]:
    """HTML as mails bring it: tags opened, closed or neither, marks of quotes, hidden text, things that attack."""
    opened = st.builds("<{}{}>".format, st.sampled_from(_TAGS), st.sampled_from(_ATTRIBUTES))
    closed = st.sampled_from(_TAGS).map("</{}>".format)
    return st.lists(st.one_of(opened, closed, _SAID, _MARKS, _BROKEN, _TEXT), max_size=40).map("".join)
