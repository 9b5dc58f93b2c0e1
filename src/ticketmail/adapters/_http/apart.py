"""A mail taken apart, for providers whose API takes no MIME: what we rendered, or what a host gave ready. Pure."""

from __future__ import annotations

import email.errors
import email.policy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser, HeaderParser
from typing import Any, Final

from ticketmail.adapters.mime.addresses import ascii_route
from ticketmail.adapters.mime.raw import check_raw
from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidSubmission

#: What a mail taken apart would lose: its seal.
_SEALED: Final = frozenset(
    {"multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/report"}
)
#: Headers that the provider makes of the parts, or sets itself.
_MADE: Final = frozenset(
    {"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "mime-version", "received", "dkim-signature"}
)
_DEEP: Final = 20


class Sealed(Exception):
    """Taken apart, the mail would not be the same any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Party:
    """``address`` with its domain in ASCII where its local part is."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """``content_id`` without brackets; '' for what is no inline image."""

    name: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """``headers`` are those that are not in another field, encoded as in the mail, so ASCII."""

    sender: Party
    to: tuple[Party, ...]
    cc: tuple[Party, ...]
    reply_to: tuple[Party, ...]
    subject: str
    text: str | None = field(repr=False)
    html: str | None = field(repr=False)
    files: tuple[File, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def taken_apart(mime: bytes) -> Parts:
    """Raises Sealed: a signed, encrypted or machine-readable mail, or one that cannot be read."""
    try:
        return _taken_apart(mime)
    except InvalidSubmission as error:
        raise Sealed(f"it cannot be read: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, email.errors.MessageError) as error:
        # What the standard library raises for the bodies that it cannot read.
        raise Sealed(f"it cannot be read ({type(error).__name__})") from None


def _taken_apart(mime: bytes) -> Parts:
    said = check_raw(mime)
    text, html = None, None
    files: list[File] = []
    for part in _leaves(BytesParser(policy=email.policy.default).parsebytes(mime)):
        kind, loose = part.get_content_type(), part.is_attachment() or part.get_filename()
        if kind == "text/plain" and text is None and not loose:
            text = _text(part)
        elif kind == "text/html" and html is None and not loose:
            html = _text(part)
        else:
            files.append(_file(part, len(files) + 1))
    return Parts(
        sender=_parties((said.sender,))[0],  # checked: there is one
        to=_parties(said.to),
        cc=_parties(said.cc),
        reply_to=_parties(said.reply_to),
        subject=said.subject,
        text=text,
        html=html,
        files=tuple(files),
        headers=tuple(_others(mime)),
    )


def _leaves(part: Any, depth: int = 0) -> Iterator[Any]:
    if part.get_content_type() in _SEALED:
        raise Sealed(f"it is {part.get_content_type()}")
    if depth > _DEEP:
        raise Sealed("its parts are nested too deeply")
    if part.get_content_maintype() != "multipart":
        yield part
        return
    for inner in part.iter_parts():
        yield from _leaves(inner, depth + 1)


def _text(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def _file(part: Any, number: int) -> File:
    kind = part.get_content_type()
    if part.get_content_maintype() == "message":
        content = part.get_content().as_bytes(policy=email.policy.SMTP) if kind == "message/rfc822" else bytes(part)
    else:
        content = part.get_payload(decode=True) or b""
    name = part.get_filename() or f"part-{number}{'.eml' if kind == 'message/rfc822' else ''}"
    inline = not part.is_attachment() and part["Content-ID"]
    return File(name, kind, content, str(part["Content-ID"]).strip().strip("<>") if inline else "")


def _parties(addresses: Iterable[Address | None]) -> tuple[Party, ...]:
    return tuple(Party(ascii_route(one.addr_spec), one.name) for one in addresses if one is not None)


def _others(mime: bytes) -> Iterator[tuple[str, str]]:
    head, _, _ = mime.partition(b"\r\n\r\n")
    for name, value in HeaderParser(policy=email.policy.compat32).parsestr(head.decode("utf-8", "replace")).raw_items():
        lower = name.lower()
        if lower not in _MADE and not lower.startswith("content-"):
            yield name, "".join(str(value).splitlines()).strip()
