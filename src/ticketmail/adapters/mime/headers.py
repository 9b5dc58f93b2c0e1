"""Header fields: encoded, folded, and verified again on the bytes (RFC 5322 section 2.2, RFC 2047)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ticketmail.adapters.mime.addresses import display
from ticketmail.adapters.mime.words import MAX_WORD, encoded_words
from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidHeader

_SOFT = 78  #: RFC 5322 section 2.1.1: should; ``_HARD``: must. Characters, without CRLF.
_HARD = 998
_NAME = re.compile(r"[!-9;-~]{1,76}")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TOKENS = re.compile(r"[ \t]*[^ \t]+")

#: Fields whose value is a structure in which encoded words mean nothing.
STRUCTURED = frozenset(
    [
        "message-id",
        "references",
        "in-reply-to",
        "date",
        "auto-submitted",
        "list-unsubscribe",
        "list-id",
        "list-post",
        "list-unsubscribe-post",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
        "mime-version",
        "return-path",
        "precedence",
        "disposition-notification-to",
    ]
)


def field(name: str, value: str) -> str:
    """One field with its CRLF, from a value as text.

    Raises:
        InvalidHeader: a name that is none, a line break or control character, non-ASCII where no encoding exists.
    """
    check(name, value)
    value = value.strip(" \t")
    structured = name.lower() in STRUCTURED
    if structured and not value.isascii():
        raise InvalidHeader("must be ASCII.", field=name, remedy="Encode it yourself; this header knows no encoded words.")
    if value.isascii() and (structured or "=?" not in value) and not _overlong(name, value):
        return folded(name, _TOKENS.findall(value))
    if structured:
        raise InvalidHeader(f"has a word of more than {_HARD} characters.", field=name)
    room = _SOFT - len(name) - 2
    words = encoded_words(value, min(MAX_WORD, room) if room >= 30 else MAX_WORD)
    return folded(name, [words[0], *(f" {word}" for word in words[1:])])


def address_field(name: str, addresses: Sequence[Address]) -> str:
    """One field with its CRLF, from addresses. Raises InvalidHeader on control characters in names or addresses."""
    tokens: list[str] = []
    for number, address in enumerate(addresses):
        check(name, address.name)
        check(name, address.addr_spec)
        words = display(address)
        if number:
            tokens[-1] += ","
            words[0] = f" {words[0]}"
        tokens += [words[0], *(f" {word}" for word in words[1:])]
    return folded(name, tokens)


def check(name: str, value: str) -> None:
    """Raises InvalidHeader on what would break or forge a header block. The value is never shown: it may be long or private."""
    if not _NAME.fullmatch(name):
        raise InvalidHeader(f"{name[:80]!r} is not a header name.", field="headers", remedy="Use letters, digits and hyphens.")
    if _FORBIDDEN.search(value):
        remedy = "Remove line breaks and control characters; lines are folded for you."
        raise InvalidHeader("has a line break or control character.", field=name, remedy=remedy)


def folded(name: str, tokens: Iterable[str]) -> str:
    """Tokens (each with the blanks before it) as lines of at most 78 characters where a blank allows it."""
    lines = []
    line = f"{name}: "
    begun = False
    for token in tokens:
        if begun and token[:1] in " \t" and len(line) + len(token) > _SOFT:
            lines.append(line)
            line = ""
        line += token
        begun = True
    lines.append(line.rstrip(" \t") if not begun else line)
    return "\r\n".join(lines) + "\r\n"


def verified(block: str, names: Sequence[str]) -> bytes:
    """A finished header block as bytes, looked at again as a parser would: these fields, in this order, and nothing else.

    Raises:
        InvalidHeader: the block holds something that was not put there as a field.
    """
    data = block.encode("utf-8")
    if b"\0" in data or not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r"):
        raise InvalidHeader("has a line break or NUL within.", field="headers")
    lines = data.split(b"\r\n")[:-1]
    if any(not line.strip() or len(line) > _HARD for line in lines):
        raise InvalidHeader("has an empty line, or one of more than 998 bytes.", field="headers", remedy="Shorten the value.")
    found = [line.partition(b":")[0].decode("utf-8", "replace") for line in lines if line[0] not in b" \t"]
    if found != list(names):
        raise InvalidHeader("do not come out as they were given.", field="headers")
    return data


def _overlong(name: str, value: str) -> bool:
    return len(value) > _HARD - 80 and any(len(token) > _HARD - 80 for token in _TOKENS.findall(value))
