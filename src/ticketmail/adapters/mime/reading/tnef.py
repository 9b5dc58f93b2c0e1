"""winmail.dat (MS-OXTNEF): the files that Outlook wraps into one that nobody else can open. Bounded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x78\x9f\x3e\x22"  #: section 2.1.3.1
_ATTACH_DATA: Final = 0x0006_800F
_ATTACH_TITLE: Final = 0x0001_8010
_ATTACH_START: Final = 0x0006_9002
_ATTACH_PROPERTIES: Final = 0x0006_9005
_MESSAGE_PROPERTIES: Final = 0x0006_9003
_BODY: Final = 0x0002_800C
_LONG_NAME: Final = 0x3707  #: PidTagAttachLongFilename, MS-OXPROPS
_CONTENT_ID: Final = 0x3712
_BODY_TEXT: Final = 0x1000
_BODY_HTML: Final = 0x1013
_BODY_RTF: Final = 0x1009  #: PidTagRtfCompressed
_DATA_OBJECT: Final = 0x3701
_FIXED: Final = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_VARIABLE: Final = (13, 30, 31, 258)
MAX_PROPERTIES: Final = 2_000


@dataclass(slots=True)
class Wrapped:
    """One file out of the wrapper."""

    name: str = ""
    content: bytes = b""
    content_id: str = ""


@dataclass(slots=True)
class Unwrapped:
    """What was in it; ``rtf`` as it was compressed. ``complete`` is False where reading stopped at broken bytes."""

    files: list[Wrapped]
    text: bytes = b""
    html: bytes = b""
    rtf: bytes = b""
    complete: bool = True


def unwrap(data: bytes, *, limit: int) -> Unwrapped | None:
    """The files and bodies within, None if it is no TNEF. At most ``limit`` files. Linear."""
    if not data.startswith(SIGNATURE):
        return None
    found = Unwrapped([])
    at = 6
    try:
        while at + 9 <= len(data) and len(found.files) <= limit:
            _level, kind, size = struct.unpack_from("<BII", data, at)
            value = data[at + 9 : at + 9 + size]
            if len(value) < size:
                found.complete = False
            _take(found, kind, value)
            at += 9 + size + 2
    except (struct.error, ValueError):
        found.complete = False
    found.files = [one for one in found.files if one.content][:limit]
    return found


def _take(found: Unwrapped, kind: int, value: bytes) -> None:
    if kind == _ATTACH_START:
        found.files.append(Wrapped())
    elif kind == _BODY:
        found.text = value.rstrip(b"\0")
    elif kind == _MESSAGE_PROPERTIES:
        properties = _properties(value)
        found.html = properties.get(_BODY_HTML, b"") or found.html
        found.text = properties.get(_BODY_TEXT, b"") or found.text
        found.rtf = properties.get(_BODY_RTF, b"")
    elif found.files:
        _take_of_file(found.files[-1], kind, value)


def _take_of_file(file: Wrapped, kind: int, value: bytes) -> None:
    if kind == _ATTACH_DATA:
        file.content = value
    elif kind == _ATTACH_TITLE and not file.name:
        file.name = value.rstrip(b"\0").decode("cp1252", "replace")
    elif kind == _ATTACH_PROPERTIES:
        properties = _properties(value)
        file.name = properties.get(_LONG_NAME, b"").decode("utf-8", "replace").strip("\0") or file.name
        file.content_id = properties.get(_CONTENT_ID, b"").decode("utf-8", "replace").strip("\0<>")
        file.content = file.content or properties.get(_DATA_OBJECT, b"")


def _properties(data: bytes) -> dict[int, bytes]:
    """MAPI properties: id -> value, texts in UTF-8 where they were in UTF-16 (MS-OXTNEF section 2.1.3.4)."""
    read: dict[int, bytes] = {}
    (count,) = struct.unpack_from("<I", data, 0)
    at = 4
    for _ in range(min(count, MAX_PROPERTIES)):
        kind, ident = struct.unpack_from("<HH", data, at)
        at += 4
        if ident >= 0x8000:
            at = _past_name(data, at)
        value, at = _value(data, at, kind)
        read[ident] = value
    return read


def _past_name(data: bytes, at: int) -> int:
    (kind,) = struct.unpack_from("<I", data, at + 16)
    at += 20
    if kind == 0:
        return at + 4
    (size,) = struct.unpack_from("<I", data, at)
    return at + 4 + _padded(size)


def _value(data: bytes, at: int, kind: int) -> tuple[bytes, int]:
    """One value; of a property with several the first is given."""
    several, kind = kind & 0x1000, kind & 0x0FFF
    if kind not in _VARIABLE:
        size = _FIXED.get(kind)
        if size is None:
            raise ValueError(f"property type {kind}")
        count = struct.unpack_from("<I", data, at)[0] if several else 1
        return data[at : at + size], at + 4 * bool(several) + size * count
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    first = b""
    for number in range(min(count, MAX_PROPERTIES)):
        (size,) = struct.unpack_from("<I", data, at)
        value = data[at + 4 : at + 4 + size]
        first = value if number == 0 else first
        at += 4 + _padded(size)
    return _texted(first, kind), at


def _texted(value: bytes, kind: int) -> bytes:
    if kind == 31:
        return value.decode("utf-16-le", "replace").rstrip("\0").encode("utf-8", "replace")
    return value.rstrip(b"\0") if kind == 30 else value


def _padded(size: int) -> int:
    return (size + 3) & ~3
