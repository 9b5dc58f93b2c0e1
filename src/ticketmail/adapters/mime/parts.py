"""Body parts: transfer encodings chosen by content, attachments with names that old and new readers understand."""

from __future__ import annotations

import binascii
import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ticketmail.domain.errors import InvalidMessage
from ticketmail.domain.message import Attachment

_TYPE = re.compile(r"([A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127})((?:\s*;[\x20-\x7e]{1,200})?)")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SOFT, _HARD = 78, 998
_PIECE = 800  #: percent-encoded characters of a file name per RFC 2231 section


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part: its own header fields (each with CRLF) and its encoded body. ``eight_bit`` needs 8BITMIME."""

    header: str
    body: bytes
    eight_bit: bool = False


def text_part(text: str, subtype: str) -> Part:
    """text/plain or text/html in UTF-8, ending in a line end. 7bit if it is ASCII in lines of 78, else QP or base64.

    Raises:
        InvalidMessage: lone surrogates, which are no text.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\n", "\r\n")
    if not text.endswith("\r\n"):
        text += "\r\n"
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidMessage("has characters that are half of one (lone surrogates).", field=_field_of(subtype)) from None
    encoding, body = _encoded_text(text, data)
    return Part(f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n', body)


def attachment_part(attachment: Attachment, content: bytes) -> Part:
    """An attachment: base64, but message/rfc822 as it is (RFC 2046 section 5.2.1 forbids base64 there).

    What claims to be a message or multipart and cannot travel as one becomes application/octet-stream.

    Raises:
        InvalidMessage: a content type, content id or file name that cannot be written into a header.
    """
    match = _TYPE.fullmatch(attachment.content_type.strip())
    if match is None:
        remedy = "Use type/subtype, such as application/pdf."
        raise InvalidMessage(f"{attachment.content_type[:80]!r} is no content type.", field="attachments", remedy=remedy)
    kind = match[1].lower()
    if kind == "message/rfc822":
        whole = _as_message(content)
        if whole is not None:
            eight_bit = not whole.isascii()
            header = _attachment_header(attachment, kind, "8bit" if eight_bit else "7bit")
            return Part(header, whole, eight_bit)
    if kind.startswith(("message/", "multipart/")):
        return Part(_attachment_header(attachment, "application/octet-stream", "base64"), _base64(content))
    return Part(_attachment_header(attachment, kind + match[2], "base64"), _base64(content))


def multipart(subtype: str, parts: Sequence[Part], seed: str, *, parameters: str = "") -> Part:
    """Parts in a multipart. The boundary follows from ``seed`` and occurs in no part."""
    boundary = _boundary(seed, parts)
    eight_bit = any(part.eight_bit for part in parts)
    chunks = []
    for part in parts:
        chunks += [b"--", boundary, b"\r\n", part.header.encode(), b"\r\n", part.body, b"\r\n"]
    chunks += [b"--", boundary, b"--\r\n"]
    header = f'Content-Type: multipart/{subtype};{parameters}\r\n boundary="{boundary.decode()}"\r\n'
    header += "Content-Transfer-Encoding: 8bit\r\n" if eight_bit else ""
    return Part(header, b"".join(chunks), eight_bit)


def content_of(attachment: Attachment, contents: Mapping[str, bytes]) -> bytes:
    """The bytes of an attachment, its own or those in ``contents``. Raises InvalidMessage if there are none."""
    if attachment.content is not None:
        return attachment.content
    content = contents.get(attachment.blob or attachment.reference or "")
    if content is None:
        raise InvalidMessage(f"the content of {attachment.filename!r} is missing.", field="attachments")
    return content


def _field_of(subtype: str) -> str:
    return "text" if subtype == "plain" else "html"


def _encoded_text(text: str, data: bytes) -> tuple[str, bytes]:
    plain = text.isascii() and "\0" not in text
    if plain and max(map(len, text.split("\r\n"))) <= _SOFT:
        return "7bit", data
    quoted = binascii.b2a_qp(data, quotetabs=False, istext=True)
    # Base64 is a third larger than the data and unreadable in a raw view; QP must be clearly larger to lose.
    if len(quoted) * 2 > len(data) * 3:
        return "base64", _base64(data)
    return "quoted-printable", quoted


def _base64(data: bytes) -> bytes:
    text = binascii.b2a_base64(data, newline=False)
    return b"".join([text[start : start + 76] + b"\r\n" for start in range(0, len(text), 76)])


def _as_message(content: bytes) -> bytes | None:
    """A mail as it may stand in a mail: CRLF, lines of at most 998 bytes, no NUL. None if it is not like that."""
    if not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        content = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    if b"\0" in content or max(map(len, content.split(b"\r\n"))) > _HARD:
        return None
    return content


def _attachment_header(attachment: Attachment, kind: str, encoding: str) -> str:
    lines = [f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}"]
    if attachment.content_id is not None:
        content_id = attachment.content_id.strip().removeprefix("<").removesuffix(">")
        if not _CONTENT_ID.fullmatch(content_id):
            raise InvalidMessage("a content id has blanks, brackets or non-ASCII characters.", field="attachments")
        lines.append(f"Content-ID: <{content_id}>")
    disposition = "inline" if attachment.content_id is not None else "attachment"
    lines.append(f"Content-Disposition: {disposition}{_name_parameters(attachment.filename)}")
    return "\r\n".join(lines) + "\r\n"


def _name_parameters(name: str) -> str:
    """``filename`` in ASCII for old readers, and ``filename*`` (RFC 2231, RFC 6266 section 4.3) if that loses something."""
    if _CONTROLS.search(name):
        raise InvalidMessage("a file name has a line break or control character.", field="attachments")
    if not name:
        return ""
    if name.isascii() and len(name) <= _HARD - 100:
        return f";\r\n filename={_quoted(name)}"
    plain = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode() or "attachment"
    encoded = quote(name, safe="!#$&+-.^_`|~")
    simple = f";\r\n filename={_quoted(plain)}"
    # The full name goes first: readers that know both take the first, the others know only the second.
    if len(encoded) <= _PIECE:
        return f";\r\n filename*=utf-8''{encoded}{simple}"
    pieces = _pieces(encoded)
    first = f";\r\n filename*0*=utf-8''{pieces[0]}"
    return first + "".join(f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces[1:], 1)) + simple


def _pieces(encoded: str) -> list[str]:
    return re.findall(rf"(?:%[0-9A-F]{{2}}|[^%]){{1,{_PIECE // 3}}}", encoded)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _boundary(seed: str, parts: Sequence[Part]) -> bytes:
    """``=_`` is in no quoted-printable and no base64; what is left are 7bit and 8bit texts, which are looked at."""
    number = 0
    while True:
        digest = hashlib.sha256(f"{seed}\0{number}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        boundary = f"=_{digest}".encode()
        if not any(boundary in part.body for part in parts):
            return boundary
        number += 1
