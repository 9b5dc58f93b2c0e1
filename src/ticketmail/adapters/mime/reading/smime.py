"""Opaque-signed S/MIME (RFC 8551 section 3.5.2): the mail within the signature, unverified. No cryptography, no recursion."""

from __future__ import annotations

from typing import Final

_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")  #: 1.2.840.113549.1.7.2, RFC 5652 section 5.1
_DATA: Final = bytes.fromhex("06092a864886f70d010701")  #: 1.2.840.113549.1.7.1, RFC 5652 section 4
_OCTETS: Final = (0x04, 0x24)
_MAX_PIECES: Final = 100_000


def unwrap_signed(der: bytes) -> bytes | None:
    """The content of CMS SignedData in DER or BER, None if it is something else, or holds no content. Linear."""
    if _SIGNED_DATA not in der[:64]:
        return None
    place = der.find(_DATA, der.find(_SIGNED_DATA) + len(_SIGNED_DATA), 4096)
    if place < 0:
        return None
    at = place + len(_DATA)
    if der[at : at + 1] != b"\xa0":  # [0] EXPLICIT eContent
        return None
    _, at, _ = _header(der, at)
    return _octets(der, at)


def _octets(der: bytes, at: int) -> bytes | None:
    """An OCTET STRING, whole or in pieces (X.690 section 8.7)."""
    tag, begin, size = _header(der, at)
    if tag == 0x04 and size is not None:
        return der[begin : begin + size]
    if tag != 0x24:
        return None
    end = len(der) if size is None else begin + size
    pieces: list[bytes] = []
    at = begin
    while at < end and len(pieces) < _MAX_PIECES:
        tag, begin, size = _header(der, at)
        if tag not in _OCTETS or (size is None and tag == 0x04):
            break
        if tag == 0x04:
            pieces.append(der[begin : begin + (size or 0)])
            at = begin + (size or 0)
        else:
            at = begin
    return b"".join(pieces)


def _header(der: bytes, at: int) -> tuple[int, int, int | None]:
    """Tag, the place of the content, and its length (None if indefinite). Past the end, an empty end-of-contents."""
    if at + 2 > len(der):
        return 0, len(der), 0
    tag, first = der[at], der[at + 1]
    if first == 0x80:
        return tag, at + 2, None
    if first < 0x80:
        return tag, at + 2, first
    count = first & 0x7F
    return tag, at + 2 + count, int.from_bytes(der[at + 2 : at + 2 + min(count, 8)], "big")
