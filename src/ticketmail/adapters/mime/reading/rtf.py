"""The body that Outlook keeps as compressed RTF: unpacked (MS-OXRTFCP), and the HTML or text within it (MS-OXRTFEX). Linear."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, NamedTuple

#: What the dictionary holds at the beginning: MS-OXRTFCP section 2.1.2.1.
_DICTIONARY: Final = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans Serif"
    b"SymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_RING: Final = 4096
_COMPRESSED, _UNCOMPRESSED = b"LZFu", b"MELA"
MAX_DEPTH: Final = 200
MAX_TOKENS: Final = 250_000  #: words, signs and stretches of text; half a second
_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,9})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)", re.DOTALL
)
#: Groups that hold no words of the body.
_SILENT: Final = frozenset(
    {b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"footer", b"listtable", b"themedata",
     b"datastore", b"latentstyles", b"generator", b"fldinst", b"bkmkstart", b"bkmkend", b"xmlnstbl", b"mhtmltag"}
)  # fmt: skip
_SPOKEN: Final = {
    b"par": "\n", b"line": "\n", b"row": "\n", b"sect": "\n", b"page": "\n", b"tab": "\t", b"cell": "\t", b"bullet": "•",
    b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"endash": "–", b"emdash": "—",
}  # fmt: skip
_SIGNS: Final = {b"~": "\u00a0", b"_": "\u2011", b"\\": "\\", b"{": "{", b"}": "}"}
#: Charsets of fonts (the RTF specification, \\fcharset) -> code pages.
_CHARSETS: Final = {
    0: "cp1252", 128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip


class RtfBody(NamedTuple):
    """What was in it: HTML if the RTF was made of HTML, else text."""

    text: str = ""
    html: str = ""


def unpack(data: bytes, *, limit: int) -> bytes:
    """The RTF of ``PidTagRtfCompressed``; b'' if it is none. Stops at broken bytes, and after ``limit``."""
    if len(data) < 16:
        return b""
    size = struct.unpack_from("<I", data, 4)[0]
    if data[8:12] == _UNCOMPRESSED:
        return data[16 : 16 + min(size, limit)]
    return _unpacked(data, min(size, limit)) if data[8:12] == _COMPRESSED else b""


def _unpacked(data: bytes, size: int) -> bytes:
    """LZFu: literals, and references into the last 4,096 bytes; one to where the next byte goes is the end."""
    ring = bytearray(_DICTIONARY.ljust(_RING, b"\0"))
    place = len(_DICTIONARY)
    made = bytearray()
    for referring, value in _tokens(data):
        start, count = value >> 4, (value & 0xF) + 2
        if len(made) >= size or (referring and start == place % _RING):
            break
        if referring:
            taken = _taken(ring, start, count, place)
        else:
            taken = bytes((value,))
            ring[place % _RING] = value
        made += taken
        place += len(taken)
    return bytes(made[:size])


def _tokens(data: bytes) -> Iterator[tuple[bool, int]]:
    """Whether it is a reference, and its value. Eight stand behind each byte that says which they are."""
    at = 16
    while at < len(data):
        control, at = data[at], at + 1
        for bit in range(8):
            referring = bool(control >> bit & 1)
            word = data[at : at + 1 + referring]
            if len(word) < 1 + referring:
                return
            yield referring, int.from_bytes(word, "big")
            at += len(word)


def _taken(ring: bytearray, start: int, count: int, place: int) -> bytes:
    """Bytes of the ring, which may overlap with where they are written to."""
    taken = bytearray()
    for step in range(count):
        byte = ring[(start + step) % _RING]
        ring[(place + step) % _RING] = byte
        taken.append(byte)
    return bytes(taken)


def read(rtf: bytes) -> RtfBody:
    """The body within RTF. Never raises."""
    if not rtf.lstrip().startswith(b"{\\rtf"):
        return RtfBody()
    reader = _Reader(made_of_html=b"\\fromhtml" in rtf[:1024])
    for match in islice(_TOKEN.finditer(rtf), MAX_TOKENS):
        reader.take(match)
    text = reader.finished()
    return RtfBody(html=text) if reader.made_of_html else RtfBody(text=text)


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds within braces."""

    silent: bool = False
    tag: bool = False  #: within \\htmltag: HTML as it stood
    rtf_only: bool = False  #: between \\htmlrtf and \\htmlrtf0: what stands for the tags in RTF
    skips: int = 1  #: characters that follow \\u for those who know no Unicode
    codec: str = ""


@dataclass(slots=True)
class _Reader:
    """One walk over the tokens."""

    made_of_html: bool
    codec: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    font: int = 0
    group: _Group = _Group()
    above: list[_Group] = field(default_factory=list)
    starred: bool = False
    skip: int = 0
    bytes_: bytearray = field(default_factory=bytearray)
    made: list[str] = field(default_factory=list)

    def take(self, match: re.Match[bytes]) -> None:
        """The next token."""
        word, number, code, sign, brace, words = match.groups()
        starred, self.starred = self.starred, False
        if brace is not None:
            self._flush()
            self._brace(brace)
        elif word is not None:
            self._flush()
            self._control(word, int(number) if number else None, starred)
        elif sign == b"*":
            self.starred = True
        elif code is not None:
            self._bytes(bytes((int(code, 16),)))
        elif words is not None:
            self._bytes(words)
        elif sign in _SIGNS:
            self._say(_SIGNS[sign])

    def finished(self) -> str:
        """All that was said. ``\\u`` writes what is beyond 16 bits as two halves."""
        self._flush()
        return "".join(self.made).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _brace(self, brace: bytes) -> None:
        self.skip = 0
        if brace == b"{" and len(self.above) < MAX_DEPTH:
            self.above.append(self.group)
        elif brace == b"}" and self.above:
            self.group = self.above.pop()

    def _control(self, word: bytes, number: int | None, starred: bool) -> None:
        if word == b"htmltag":
            self.group = replace(self.group, tag=True, silent=False)
        elif word == b"htmlrtf":
            self.group = replace(self.group, rtf_only=number != 0)
        elif word in (b"f", b"fcharset", b"ansicpg"):
            self._charset(word, number or 0)
        elif starred or word in _SILENT:
            self.group = replace(self.group, silent=True)
        elif word == b"uc":
            self.group = replace(self.group, skips=min(max(number or 0, 0), 16))
        elif word == b"u" and number is not None:
            self._say(chr(number % 0x10000))
            self.skip = self.group.skips
        elif word in _SPOKEN:
            self._say(self._spoken(word))

    def _spoken(self, word: bytes) -> str:
        """In HTML that was kept, ends of lines stand for the source's own."""
        return "\r\n" if self.made_of_html and word in (b"par", b"line") else _SPOKEN[word]

    def _charset(self, word: bytes, number: int) -> None:
        if word == b"ansicpg":
            self.codec = _codec(number) or self.codec
        elif word == b"fcharset":
            self.fonts[self.font] = _CHARSETS.get(number, "")
        elif word == b"f":
            self.font = number
            self.group = replace(self.group, codec=self.fonts.get(number, ""))

    def _bytes(self, content: bytes) -> None:
        passed = min(self.skip, len(content))
        self.skip -= passed
        self.bytes_ += content[passed:]

    def _flush(self) -> None:
        """What was collected, in the font's charset: a character may have several bytes."""
        collected, self.bytes_ = self.bytes_, bytearray()
        if collected:
            self._say(collected.decode(self.group.codec or self.codec, "replace"))

    def _say(self, text: str) -> None:
        self._flush()
        group = self.group
        if group.silent or (self.made_of_html and group.rtf_only and not group.tag):
            return
        self.made.append(text)


def _codec(page: int) -> str:
    name = "utf-8" if page == 65001 else f"cp{page}"
    try:
        b"".decode(name)
    except LookupError:
        return ""
    return name
