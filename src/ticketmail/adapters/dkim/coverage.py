"""Whether a signature, if it holds, covers enough of its mail to prove who wrote it. Pure.

A signature is about the header fields that it names (RFC 6376 section 5.4). What somebody adds later is not covered, and a mail
program shows it all the same (section 8.15: a second From or Subject above the signed one; section 8.2: text behind ``l=``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

Tags = Mapping[bytes, bytes]
Headers = Sequence[Sequence[bytes]]

#: RFC 8301 section 3.1: SHA-1 is not to be believed. ed25519: RFC 8463.
_ALGORITHMS: Final = (b"rsa-sha256", b"ed25519-sha256")
#: Fields that stand once (RFC 5322 section 3.6, RFC 2045 section 3): of more than one, nobody knows which one a program shows.
_ONCE: Final = (
    *(b"from", b"sender", b"reply-to", b"to", b"cc", b"date", b"subject", b"message-id", b"in-reply-to", b"references"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding"),
)
#: Fields that say how the body is to be read.
_FORM: Final = (b"content-type", b"content-transfer-encoding")
_COLON: Final = re.compile(rb"\s*:\s*")
_NAME: Final = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")


def place(tags: Tags) -> tuple[str, str]:
    """Selector and domain, lower-cased; '' for what no name server could have (names in other scripts come as ``xn--``)."""
    found = (tags.get(b"s", b""), tags.get(b"d", b""))
    return tuple(one.decode().lower() if len(one) <= 190 and _NAME.fullmatch(one) else "" for one in found)  # type: ignore[return-value]


def shortcoming(tags: Tags, headers: Headers, author: bytes, body_bytes: int, at_s: int) -> str:
    """Why a signature that holds would prove nothing; '' if it would. ``headers`` are names and values; ``author`` is From as
    the mail's reader saw it; ``body_bytes`` is the canonical body's length; ``at_s`` is now (UTC seconds)."""
    signed = [one.lower() for one in _COLON.split(tags.get(b"h", b"").strip())]
    named = [bytes(name).lower() for name, _ in headers]
    senders = [value for name, value in headers if bytes(name).lower() == b"from"]
    if tags.get(b"a") not in _ALGORITHMS:
        return f"its algorithm is {_shown(tags.get(b'a', b''))}"
    if b"from" not in signed:
        return "From is not signed"
    if len(senders) != 1 or _bare(senders[0]) != _bare(author):
        return "From is not one, or not the one that is read"
    if b"subject" in named and b"subject" not in signed:
        return "the subject is not signed"
    twice = [name.decode() for name in _ONCE if signed.count(name) < named.count(name) > 1]
    if twice:
        return f"{', '.join(twice)} came twice, and not all of it is signed"
    if _is_before(tags.get(b"x"), at_s):
        return "it has expired"
    if b"l" in tags and not _is_number(tags[b"l"], least=body_bytes):
        return "only a part of the body is signed"
    return ""


def left_open(tags: Tags, headers: Headers) -> str:
    """What a signature that counts leaves to whoever passes the mail on, for people; '' for nothing that matters.

    With another Content-Type the same body shows other words. It is not demanded: Gmail does not sign it, nor does DMARC ask.
    """
    signed = [one.lower() for one in _COLON.split(tags.get(b"h", b"").strip())]
    form = [name.decode() for name in _FORM if name not in signed and any(bytes(one).lower() == name for one, _ in headers)]
    return f"{', '.join(form)} is not signed" if form else ""


def record_trouble(record: Tags, tags: Tags) -> str:
    """Why a key may not be used for this signature (RFC 6376 section 3.6.1); '' if it may."""
    flags = [one.strip() for one in record.get(b"t", b"").split(b":")]
    if not record.get(b"p"):
        return "the key was revoked"
    if record.get(b"k", b"rsa") != tags.get(b"a", b"").partition(b"-")[0]:
        return "the key is of another kind"
    if b"h" in record and b"sha256" not in [one.strip() for one in record[b"h"].split(b":")]:
        return "the key is not for SHA-256"
    if not {b"*", b"email"}.intersection(one.strip() for one in record.get(b"s", b"*").split(b":")):
        return "the key is not for mail"
    if b"y" in flags:
        return "the domain only tests its key"
    if b"s" in flags and tags.get(b"i", b"@" + tags[b"d"]).rpartition(b"@")[2].lower() != tags[b"d"].lower():
        return "the key is for no domains below"
    return ""


def _is_before(stamp: bytes | None, at_s: int) -> bool:
    return stamp is not None and not _is_number(stamp, least=at_s)


def _is_number(text: bytes, *, least: int) -> bool:
    """Whether it is one, not less than ``least``."""
    return text.isdigit() and len(text) <= 76 and int(text) >= least


def _bare(value: bytes) -> bytes:
    return b"".join(value.split())


def _shown(value: bytes) -> str:
    return repr(value[:40].decode("ascii", "replace"))
