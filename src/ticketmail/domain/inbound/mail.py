"""ParsedMail: what the bytes of an incoming mail say, once they have been read within bounds.

Everything in it was written by a stranger: names, addresses and types are what the mail *claims*. Nothing here is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidAddress

#: Machine-readable parts of reports: RFC 3464, RFC 6533, RFC 5965, RFC 8098, and the header of a returned mail (RFC 3462).
REPORT_TYPES: Final = frozenset(
    {
        "message/delivery-status",
        "message/global-delivery-status",
        "message/feedback-report",
        "message/disposition-notification",
        "message/global-disposition-notification",
        "text/rfc822-headers",
        "text/rfc822-header",
        "message/rfc822-headers",
        "message/global-headers",
    }
)


class Tier(StrEnum):
    """How much of a mail could be read. Each tier is a mail that people can work with; none is an error."""

    FULL = "full"  #: all of it, within the limits
    DEGRADED = "degraded"  #: something was cut or skipped for its size or number: see the defects
    MINIMAL = "minimal"  #: the header and the raw bytes only


@dataclass(frozen=True, slots=True)
class Defect:
    """Something broken that was read all the same. ``code`` is stable, ``evidence`` is for people, ``path`` names the part."""

    code: str
    evidence: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One header field in its order. ``raw`` is the value as it came, folded and encoded; ``value`` is decoded, one line."""

    name: str
    raw: bytes
    value: str

    @property
    def key(self) -> str:
        """The name, lower-cased."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody named in an address header. ``address`` may be no address at all: ask :attr:`strict`."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """What two spellings of one mailbox share: lower-cased."""
        return self.address.lower()

    @property
    def strict(self) -> Address | None:
        """The address if mail could be sent to it, else None."""
        try:
            return Address(local=self.address.rpartition("@")[0], domain=self.address.rpartition("@")[2])
        except InvalidAddress:
            return None


@dataclass(frozen=True, slots=True)
class ContentType:
    """``type/subtype`` in lower case, and its parameters (names in lower case, RFC 2231 and RFC 2047 decoded)."""

    value: str = "text/plain"
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> str:
        """``text`` of ``text/plain``."""
        return self.value.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of the MIME tree in its order, or an attached mail as a whole.

    ``path`` is ``1.2``-like (RFC 3501 numbering). ``disposition`` is ``inline``, ``attachment``, ``reaction`` or empty.
    ``content`` is decoded from its transfer encoding. ``text`` is set for ``text/*`` and reports, ``charset`` is the one that
    was used. ``filename`` is decoded and fit for showing, never for opening; ``content_id`` has no angle brackets.
    ``sniffed`` is the type that the first bytes say, '' if they say nothing. ``mail`` is the attached mail, read as far as
    the limits go. ``origin`` is ``mime``, ``uuencode``, ``yenc``, ``tnef`` or
    ``smime``.
    """

    path: str
    content_type: ContentType
    disposition: str = ""
    filename: str | None = None
    content_id: str | None = None
    content: bytes = field(default=b"", repr=False)
    text: str | None = field(default=None, repr=False)
    charset: str = ""
    sniffed: str = ""
    mail: ParsedMail | None = field(default=None, repr=False)
    origin: str = "mime"

    @property
    def size_bytes(self) -> int:
        """Decoded size."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail, read. Lists keep the order of the mail; ids have no angle brackets; addresses keep their case.

    ``text`` and ``html`` are the bodies that a mail program shows (several joined; None if there is none); ``text_parts`` and
    ``html_parts`` are where they come from. ``attachments`` is everything else that a person would see as a file, with images in
    the HTML (their ``content_id`` is what ``cid:`` links name). ``reports`` are the machine-readable parts of reports; attached
    mails stand in ``attachments`` with ``mail`` set. ``date`` is aware. ``defects`` say what was broken, and what was cut.
    """

    headers: tuple[HeaderField, ...] = ()
    senders: tuple[Party, ...] = ()  #: From, usually one
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()
    reply_to: tuple[Party, ...] = ()
    subject: str = ""
    date: datetime | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    content_type: ContentType = field(default_factory=ContentType)
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    text_parts: tuple[Part, ...] = ()
    html_parts: tuple[Part, ...] = ()
    attachments: tuple[Part, ...] = ()
    reports: tuple[Part, ...] = ()
    defects: tuple[Defect, ...] = ()
    tier: Tier = Tier.FULL
    size_bytes: int = 0

    @property
    def sender(self) -> Party | None:
        """The first From, if there is one."""
        return self.senders[0] if self.senders else None

    def fields(self, name: str) -> Iterator[HeaderField]:
        """All fields of that name (any case), from the top."""
        key = name.lower()
        return (one for one in self.headers if one.key == key)

    def values(self, name: str) -> list[str]:
        """Their decoded values."""
        return [one.value for one in self.fields(name)]

    def value(self, name: str) -> str:
        """The topmost decoded value, '' if the field is not there."""
        return next((one.value for one in self.fields(name)), "")

    def has(self, name: str) -> bool:
        """Whether there is such a field, be it empty."""
        return next(self.fields(name), None) is not None

    def nested(self) -> Iterator[ParsedMail]:
        """Attached mails, outermost first."""
        for part in self.attachments:
            if part.mail is not None:
                yield part.mail
                yield from part.mail.nested()
