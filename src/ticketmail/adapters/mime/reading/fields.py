"""A header block taken apart: fields in their order, within bounds, whatever stands between them (RFC 5322 section 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ticketmail.adapters.mime.reading.charsets import decode
from ticketmail.adapters.mime.reading.encoded import decoded_words
from ticketmail.domain.inbound.limits import ReadingLimits
from ticketmail.domain.inbound.mail import Defect, HeaderField

_NAME: Final = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_KNOWN: Final = re.compile(
    rb"^(?:from|to|cc|subject|date|message-id|mime-version|content-[a-z-]{2,30}|received|reply-to|sender|return-path|references"
    rb"|in-reply-to|delivered-to|x-[a-z0-9-]{2,60})[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
#: What ends a header: an empty line, or a boundary where that was forgotten.
_EMPTY: Final = re.compile(rb"\r?\n\r?\n|\r\r|\n--")
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r(?!\n)|\Z)")
_FOLD: Final = re.compile(r"\r\n(?=[ \t])|\n(?=[ \t])|\r(?=[ \t])")
#: An encoded word whose bytes were not encoded after all: they are in its charset, not in that of the rest.
_RAW_WORD: Final = re.compile(rb"=\?[^?\s]{1,60}\?[qQ]\?[^?\r\n]{0,2000}\?=")
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f]+")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(slots=True)
class Block:
    """What one header block says, still encoded, and where its body begins in the bytes."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)
    body: int = 0
    defects: list[Defect] = field(default_factory=list)

    def raw(self, name: str) -> bytes:
        """The value of the topmost field of that (lower-case) name, b'' if there is none."""
        return next((value for key, value in self.fields if key.lower() == name), b"")


def read_block(raw: bytes, start: int, end: int, limits: ReadingLimits) -> Block:
    """The fields between ``start`` and ``end`` up to the first empty line. Stray lines are left out, and told as defects.

    A line that is no field ends the header where no field follows it: there, a body began without an empty line before it.
    """
    block = Block()
    at = _skip_envelope(raw, start, end, block)
    stop = min(end, at + limits.header_bytes)
    last = _last_field(raw, at, stop)
    lines: list[list[bytes]] = []
    while at < stop:
        match = _LINE.match(raw, at, stop)
        line = match[0] if match else b""
        if not line or not line.strip(b"\r\n"):
            at += len(line)
            break
        if line[:1] in b" \t":
            if lines:
                lines[-1].append(line)
        elif _NAME.match(line):
            lines.append([line])
        elif at < last:
            block.defects.append(Defect("stray-line", _shown(line)))
            if lines:  # it was folded without a blank
                lines[-1].append(b" " + line)
        else:
            block.defects.append(Defect("no-empty-line", _shown(line)))
            break
        at += len(line)
    block.body = _behind(raw, at, stop, end, limits, block)
    _cut(lines, limits, block)
    return block


def decode_fields(block: Block, hint: str) -> tuple[HeaderField, ...]:
    """The fields with their values decoded. ``hint`` is the charset that the mail's text is in."""
    return tuple(HeaderField(name=name, raw=value, value=decoded_value(value, hint)) for name, value in block.fields)


def decoded_value(raw: bytes, hint: str = "") -> str:
    """One line of text: unfolded, encoded words decoded, 8-bit bytes read as UTF-8, else as ``hint``, else as they look."""
    return _BLANKS.sub(" ", decoded_words(unfolded(raw, hint))).strip()


def unfolded(raw: bytes, hint: str = "") -> str:
    """Text of a value with its folding and control characters gone, its encoded words untouched."""
    if not raw.isascii() and b"=?" in raw:
        raw = _RAW_WORD.sub(lambda match: _HIGH.sub(lambda byte: b"=%02X" % byte[0][0], match[0]), raw)
    text = raw.decode("ascii") if raw.isascii() and b"\x1b" not in raw else decode(raw, "", hint=hint).text
    if "\n" in text or "\r" in text:
        text = _FOLD.sub("", text)
    return _CONTROLS.sub(" ", text).strip() if not text.isprintable() else text.strip()


def _skip_envelope(raw: bytes, start: int, end: int, block: Block) -> int:
    """Past empty lines, a byte order mark and a line of an mbox (RFC 4155) in front of the header."""
    at = start
    if raw.startswith(b"\xef\xbb\xbf", at, end):
        at += 3
        block.defects.append(Defect("byte-order-mark"))
    while raw[at : at + 1] in (b"\r", b"\n") and at < end and _field_follows(raw, _past_empty(raw, at, end), end):
        at = _past_empty(raw, at, end)
        block.defects.append(Defect("empty-line-first"))
    if raw.startswith((b"From ", b">From "), at, end):
        newline = raw.find(b"\n", at, end)
        at = end if newline < 0 else newline + 1
        block.defects.append(Defect("mbox-line"))
    return at


def _last_field(raw: bytes, at: int, stop: int) -> int:
    """Where the last line before the first empty one stands that is a well-known field: up to there, it is a header."""
    empty = _EMPTY.search(raw, at, stop)
    last = -1
    for match in _KNOWN.finditer(raw, at, empty.start() if empty else stop):
        last = match.start()
    return last


def _past_empty(raw: bytes, at: int, end: int) -> int:
    while at < end and raw[at] in b"\r\n":
        at += 1
    return at


def _field_follows(raw: bytes, at: int, stop: int) -> bool:
    return _NAME.match(raw, at, min(stop, at + 300)) is not None or raw.startswith(b"From ", at, stop)


def _behind(raw: bytes, at: int, stop: int, end: int, limits: ReadingLimits, block: Block) -> int:
    """Where the body begins: for a header beyond its limit, behind the empty line that ends it."""
    if at < stop or stop == end:
        return at
    block.defects.append(Defect("header-too-long", f"more than {limits.header_bytes} bytes"))
    found = [raw.find(mark, stop, end) for mark in (b"\r\n\r\n", b"\n\n")]
    found = [place for place in found if place >= 0]
    return _past_empty(raw, min(found), min(found) + 4) if found else end


def _cut(lines: list[list[bytes]], limits: ReadingLimits, block: Block) -> None:
    if len(lines) > limits.fields:
        block.defects.append(Defect("too-many-fields", str(len(lines))))
    for line in lines[: limits.fields]:
        name, _, value = b"".join(line).partition(b":")
        if len(value) > limits.field_bytes:
            block.defects.append(Defect("field-too-long", f"{_shown(name)}: {len(value)} bytes"))
        block.fields.append((name.decode("ascii").strip(), value[: limits.field_bytes]))


def _shown(line: bytes) -> str:
    return ascii(line[:60].decode("latin-1").strip())
