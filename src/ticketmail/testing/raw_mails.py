"""Hypothesis strategies for the bytes of mail from strangers: well-formed, broken, and hostile. Needs the extra ``testing``."""

from __future__ import annotations

import base64
import quopri

from hypothesis import strategies as st

from ticketmail.adapters.mime import MimeRenderer
from ticketmail.domain.message import Message
from ticketmail.testing.strategies import messages

_RENDERER = MimeRenderer()
#: Pieces that readers of mail stumble over; any order of them is a mail that somebody may send.
_PIECES = (
    b"From: Ann <ann@example.net>\r\n",
    b"From: =?utf-8?q?A=CC=88nn?= <ann@example.net>, b@\r\n",
    b"To: undisclosed-recipients:;\r\n",
    b"Subject: =?x-unknown?b?w6Q=?= =?utf-8?q?=\r\n",
    b"Subject: \xe4\xf6\xfc\r\n",
    b"Date: Thu, 32 Foo 2026 25:61:00 +9999\r\n",
    b"Message-ID: <a b@c>\r\nReferences: <<>> <x@y\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b \r\n',
    b"Content-Type: text/html; charset=unicode_escape\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: application/ms-tnef\r\n",
    b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*1=\"../x\r\n",
    b"Auto-Submitted: auto-replied\r\nReturn-Path: <>\r\n",
    b" folded\r\n",
    b"no field at all\r\n",
    b"\r\n",
    b"\n\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"begin 644 a.txt\r\n!!!\r\nend\r\n",
    b"Final-Recipient: rfc822;\r\nAction: failed\r\nStatus: 5.\r\n",
    b"<a@example.com>: 550 no such user\r\n",
    b"\x78\x9f\x3e\x22\x00\x00\x02",
    b"\xef\xbb\xbf",
    b"=\r\n=C3=",
    b"\x00\x0b\x1b$B\xff",
    b"<html><meta charset=utf-7><script>",
)


def raw_mails() -> st.SearchStrategy[bytes]:
    """Mails as our own renderer writes them: valid MIME, with texts, HTML and attachments of any kind."""
    return messages().map(rendered)


def rendered(message: Message) -> bytes:
    """The message as bytes, with a fixed boundary and no attachment outside of it."""
    return _RENDERER.render(message, headers=(("Message-ID", "<1@example.com>"),), contents={}, seed="1")


def broken_mails() -> st.SearchStrategy[bytes]:
    """Anything: stumbling blocks in any order, valid mails cut or with bytes changed, bytes without meaning."""
    pieces = st.lists(st.sampled_from(_PIECES) | st.binary(max_size=20), max_size=25).map(b"".join)
    changed = st.builds(_changed, raw_mails(), st.integers(0, 2_000), st.binary(max_size=4), st.booleans())
    return pieces | changed | st.binary(max_size=500)


def bodies() -> st.SearchStrategy[tuple[bytes, str, str]]:
    """A body in some transfer encoding: the encoded bytes, the encoding's name, and the text within (UTF-8)."""
    texts = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=80)
    return st.builds(_body, texts, st.sampled_from(["8bit", "base64", "quoted-printable"]))


def _body(text: str, encoding: str) -> tuple[bytes, str, str]:
    raw = text.encode()
    if encoding == "base64":
        raw = base64.encodebytes(raw)
    elif encoding == "quoted-printable":
        raw = quopri.encodestring(raw)
    return raw, encoding, text


def _changed(raw: bytes, at: int, other: bytes, cut: bool) -> bytes:
    at %= len(raw)
    return raw[:at] if cut else raw[:at] + other + raw[at + len(other) :]
