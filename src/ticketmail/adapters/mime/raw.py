"""Ready MIME bytes, checked with bounds. The standard library's header parser is not total and not linear, so it is not used."""

from __future__ import annotations

import re

from ticketmail.adapters.mime.lists import parsed_list
from ticketmail.adapters.mime.words import decoded
from ticketmail.domain.address import Address
from ticketmail.domain.errors import InvalidAddress, InvalidHeader, InvalidMessage, TooLarge
from ticketmail.domain.message import Message

MAX_HEADER_BYTES = 100_000
MAX_FIELDS = 1_000
MAX_ADDRESSES = 1_000  #: per field
_MAX_LINE = 998

#: RFC 5322 section 3.6: at most one of each; more of them are read differently by different readers.
SINGLE = frozenset(
    [
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "subject",
        "message-id",
        "in-reply-to",
        "references",
        "date",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
    ]
)
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_FIELD = re.compile(rb"([!-9;-~]{1,998}?)[ \t]*:(.*)", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CLEAN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_IDS = re.compile(r"<[^<>\s]{1,996}>")


def check_raw(raw: bytes) -> Message:
    """Check the header of a ready mail, and tell what it says, with ``raw`` set to the same bytes.

    The body is not looked into. Linear in the header's size, which is bounded.

    Raises:
        TooLarge: a header of more than 100 kB or 1,000 fields.
        InvalidHeader: names the field: forbidden characters, not exactly one From, two of a field that may come once, a Bcc.
        InvalidAddress: From, To, Cc or Reply-To cannot be read.
        InvalidMessage: no header at all.
    """
    fields = _fields(raw)
    values: dict[str, str] = {}
    for name, value in fields:
        _check_field(name, value)
        if name in SINGLE and name in values:
            raise InvalidHeader("occurs twice.", field=name, remedy="Keep one.")
        values.setdefault(name, value)
    if "from" not in values:
        raise InvalidHeader("is missing.", field="from", remedy="A mail has exactly one From header.")
    senders = _addresses("from", values["from"])
    if len(senders) != 1:
        raise InvalidHeader(f"has {len(senders)} addresses.", field="from", remedy="Name exactly one author.")
    return Message(
        sender=senders[0],
        to=_addresses("to", values.get("to", "")),
        cc=_addresses("cc", values.get("cc", "")),
        reply_to=_addresses("reply-to", values.get("reply-to", "")),
        subject=_CLEAN.sub(" ", decoded(values.get("subject", ""))).strip(),
        message_id=_first_id(values.get("message-id", "")),
        in_reply_to=_first_id(values.get("in-reply-to", "")),
        references=tuple(_IDS.findall(values.get("references", ""))),
        raw=raw,
    )


def names_of(raw: bytes) -> set[str]:
    """The names of the header's fields, lower-case. Never raises; bounded as :func:`check_raw`."""
    block = _block(raw[: MAX_HEADER_BYTES + 4])
    names = (line.partition(b":")[0].rstrip(b" \t") for line in re.split(rb"\r\n|\r|\n", block) if line[:1] not in (b" ", b"\t"))
    return {name.decode("ascii", "replace").lower() for name in names}


def _block(raw: bytes) -> bytes:
    if raw[:1] in (b"\r", b"\n"):
        return b""
    end = _END.search(raw)
    return raw[: end.start()] if end is not None else raw


def _fields(raw: bytes) -> list[tuple[str, str]]:
    block = _block(raw[: MAX_HEADER_BYTES + 4]).rstrip(b"\r\n")
    if len(block) > MAX_HEADER_BYTES:
        raise TooLarge(f"the header has more than {MAX_HEADER_BYTES} bytes.", field="raw")
    if not block.strip():
        raise InvalidMessage("has no header.", field="raw", remedy="Ready MIME bytes begin with their header fields.")
    if block.startswith(b"From "):
        raise InvalidHeader("begins with an mbox line.", field="raw", remedy="Remove the first line ('From …').")
    fields: list[tuple[str, list[bytes]]] = []
    for line in re.split(rb"\r\n|\r|\n", block):
        _take_line(line, fields)
    if len(fields) > MAX_FIELDS:
        raise TooLarge(f"the header has more than {MAX_FIELDS} fields.", field="raw")
    return [(name, _text(name, b"".join(lines))) for name, lines in fields]


def _take_line(line: bytes, fields: list[tuple[str, list[bytes]]]) -> None:
    if len(line) > _MAX_LINE:
        name = fields[-1][0] if fields and line[:1] in b" \t" else line[:40].decode("ascii", "replace")
        raise InvalidHeader(f"has a line of more than {_MAX_LINE} bytes.", field=name, remedy="Fold it (RFC 5322 section 2.2.3).")
    if line[:1] in (b" ", b"\t"):
        if not fields:
            raise InvalidHeader("begins with a continuation line.", field="raw")
        fields[-1][1].append(line)
        return
    match = _FIELD.fullmatch(line)
    if match is None:
        raise InvalidHeader(f"line {line[:40]!r} is no header field.", field="raw", remedy="An empty line ends the header.")
    fields.append((match[1].decode("ascii").lower(), [match[2]]))


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode("utf-8").strip(" \t")
    except UnicodeDecodeError:
        raise InvalidHeader("is neither ASCII nor UTF-8.", field=name, remedy="Use encoded words (RFC 2047).") from None


def _check_field(name: str, value: str) -> None:
    if _FORBIDDEN.search(value):
        raise InvalidHeader("has a control character.", field=name, remedy="Remove it.")
    if name in ("bcc", "resent-bcc"):
        raise InvalidHeader("is in the ready mail.", field=name, remedy="Remove it and name the recipient in the envelope.")


def _addresses(name: str, value: str) -> tuple[Address, ...]:
    try:
        return tuple(parsed_list(value, limit=MAX_ADDRESSES))
    except InvalidAddress as error:  # raised by Address itself, which does not know the header
        raise InvalidAddress(str(error).removesuffix(error.remedy).rstrip(), field=name, remedy=error.remedy) from None
    except ValueError as error:
        raise InvalidAddress(str(error), field=name, remedy="Write addresses as RFC 5322 section 3.4 has them.") from None


def _first_id(value: str) -> str | None:
    match = _IDS.search(value)
    return match[0] if match is not None else None
