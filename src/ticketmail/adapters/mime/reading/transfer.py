"""Content-Transfer-Encoding (RFC 2045 section 6) undone, and uuencode; broken input gives what can be had of it."""

from __future__ import annotations

import binascii
import re
from typing import Final

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
MAX_PIECES: Final = 10_000  #: of base64 with padding of their own; more are rubbish
_NO_BASE64: Final = bytes(byte for byte in range(256) if byte not in _ALPHABET)
_PADDED: Final = re.compile(rb"[^=]+")
_LOOSE_BREAK: Final = re.compile(rb"=[ \t]++(?=\r?\n|$)")
_TRAILING: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_UUENCODES: Final = ("uuencode", "x-uuencode", "x-uue", "uue")


def decoded_transfer(body: bytes, encoding: str) -> bytes:
    """The bytes that were encoded. An unknown encoding is taken for none."""
    if encoding == "base64":
        return unbase64(body)
    if encoding == "quoted-printable":
        return unquote(body)
    if encoding in _UUENCODES:
        return unuuencode(body)
    return body


def unbase64(body: bytes) -> bytes:
    """Base64 with foreign characters left out; several pieces with padding of their own are put together."""
    clean = body.translate(None, _NO_BASE64)
    if clean.rstrip(b"=").find(b"=") < 0:
        return _quanta(clean.rstrip(b"="))
    pieces = _PADDED.findall(clean)
    if len(pieces) > MAX_PIECES:
        return _quanta(clean.replace(b"=", b""))
    return b"".join(_quanta(piece) for piece in pieces)


def _quanta(clean: bytes) -> bytes:
    rest = len(clean) % 4
    if rest == 1:  # six bits are no byte
        clean, rest = clean[:-1], 0
    return binascii.a2b_base64(clean + b"=" * (-rest % 4))


def unquote(body: bytes) -> bytes:
    """Quoted-printable; blanks at the end of a line were added on the way (RFC 2045 section 6.7 (3))."""
    if b" \n" in body or b" \r\n" in body or b"\t\n" in body or b"\t\r\n" in body:
        body = _TRAILING.sub(b"", _LOOSE_BREAK.sub(b"=", body))
    return binascii.a2b_qp(body)


def unuuencode(body: bytes) -> bytes:
    """Lines between ``begin`` and ``end``, or all lines if there is no ``begin``."""
    lines = body.splitlines()
    start = next((at + 1 for at, line in enumerate(lines) if line.startswith(b"begin ")), 0)
    return b"".join(_uu_line(line) for line in lines[start:] if line not in (b"end", b"`", b""))


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        pass
    try:  # a known fault of encoders: the line is longer than it says
        return binascii.a2b_uu(line[: ((((line[0] - 32) & 63) * 4 + 5) // 3)])
    except (binascii.Error, IndexError):
        return b""
