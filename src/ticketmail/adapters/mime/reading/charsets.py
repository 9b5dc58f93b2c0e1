"""Bytes to text by a label that may lie: as declared, then as the bytes look, never failing.

Labels and what they stand for: the WHATWG Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels: what is called
iso-8859-1 is windows-1252, gb2312 is gb18030, ks_c_5601-1987 is windows-949), IANA's registry, and labels seen in mail. Only
charsets of mail are looked up: Python has codecs that are no charsets.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ticketmail.adapters.mime.reading.guessing import guess, is_damaged_utf8

_MEANINGS: Final = {
    "ascii": "ascii usascii ansix3.41968 ansix3.1101983 iso646us 646 us",
    "utf-8": "utf8 utf8mb4 unicode11utf8 xutf8 cp65001 utf8n 3dutf8 3utf8",
    "utf-7": "utf7 unicode11utf7 unicode20utf7",
    "utf-16": "unicode utf16 ucs2 iso10646ucs2",
    "cp1252": "iso88591 latin1 l1 88591 iso8859 cp819 ibm819 windows1252 cp1252 xcp1252 ansi xansi xuserdefined windows",
    "cp1254": "iso88599 latin5 windows1254 cp1254",
    "cp874": "iso885911 tis620 windows874 cp874",
    "iso8859-8": "iso88598 iso88598i iso88598e logical hebrew visual",
    "iso8859-6": "iso88596 iso88596i iso88596e arabic",
    "iso8859-15": "iso885915 latin9 l9",
    "gb18030": "gb2312 gb231280 csgb2312 gbk xgbk cp936 windows936 ms936 euccn chinese gb18030",
    "hz": "hzgb2312 hz",
    "big5hkscs": "big5 xxbig5 cnbig5 cp950 windows950 big5hkscs",
    "cp932": "shiftjis sjis xsjis mskanji windows31j cswindows31j cp932 ms932",
    "euc_jp": "eucjp xeucjp ujis",
    "iso2022_jp_ext": "iso2022jp csiso2022jp iso2022jpms cp50220 cp50221 iso2022jp1 iso2022jp2 jis",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "cp949": "euckr ksc56011987 ksc5601 ksc56011989 korean xwindows949 windows949 cp949 ksx1001 uhc ms949",
    "koi8-r": "koi8r koi8 koi cskoi8r",
    "koi8-u": "koi8u koi8ru",
    "mac-roman": "macintosh xmacroman macroman mac",
    "mac-cyrillic": "xmaccyrillic xmacukrainian",
    "": "unknown8bit xunknown unknown default none 8bit 7bit binary utf",
}
_ALIASES: Final = {label: codec for codec, labels in _MEANINGS.items() for label in labels.split()}
_NOISE: Final = re.compile(r"[\s_\-:'\"]+")
_YEAR: Final = re.compile(r":(?:19|20)\d\d$")
#: What else Python may be asked for.
_CODEC: Final = re.compile(
    r"iso8859\d{1,2}|(?:cp|ibm|dos)\d{3,4}|windows125\d|utf(?:16|32)[bl]e|utf32|mac\w+|iso2022\w+|euc\w\w|johab"
)
#: In these, ASCII bytes may stand for something else.
_WRITTEN_IN_ASCII: Final = ("utf-7", "utf-16", "utf_16", "utf-32", "utf_32", "hz", "iso2022")
_JIS: Final = re.compile(rb"\x1b(\$[@AB]|\$\(D|\([BJI])")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the charset that was used for it, and what had to be repaired ('' if nothing)."""

    text: str
    charset: str
    repair: str = ""


def decode(data: bytes, label: str = "", *, hint: str = "") -> Decoded:
    """``data`` as text. ``hint`` is a charset to try before guessing, such as that of the rest of the mail. Never raises."""
    codec = codec_of(label)
    if data.isascii() and b"\x1b" not in data and not codec.startswith(_WRITTEN_IN_ASCII):
        return Decoded(data.decode("ascii"), codec or "ascii")
    if codec and codec != "ascii" and (text := _strict(data, codec)) is not None:
        return Decoded(text, codec)
    if codec in ("", "ascii", "utf-8") and is_damaged_utf8(data):
        return Decoded(data.decode("utf-8", "replace"), "utf-8", "damaged utf-8")
    for other in _others(data, codec, codec_of(hint)):
        if (text := _strict(data, other)) is not None:
            return Decoded(text, other, _repair(label, other))
    # No charset fits: the declared one with holes, if it was one that can have any.
    found = codec if codec not in ("", "ascii") else guess(data)
    return Decoded(data.decode(found, "replace"), found, f"bytes that are not {label or found}")


@lru_cache(maxsize=512)
def codec_of(label: str) -> str:
    """Python's name of the charset, '' if the label says nothing."""
    short = _NOISE.sub("", _YEAR.sub("", label.strip().lower()[:60]))
    if short in _ALIASES:
        return _ALIASES[short]
    if not _CODEC.fullmatch(short):
        return ""
    for name in (short, short.replace("windows", "cp").replace("ibm", "cp").replace("dos", "cp"), label.strip().lower()):
        try:
            return codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
    return ""


def _others(data: bytes, codec: str, hint: str) -> list[str]:
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    escaped = ["iso2022_jp_ext", "iso2022_kr"] if b"\x1b$" in data or b"\x1b(" in data else []
    likely = [hint] if hint not in ("", "ascii") else []
    if codec in ("", "ascii", "utf-8"):
        guessed = guess(data)
        likely = [guessed, *likely] if hint in _LATIN and guessed != "cp1252" else [*likely, guessed]
    return [one for one in (*marked, *escaped, "utf-8", *likely) if one != codec]


#: Said of anything, by programs that write it into every mail.
_LATIN: Final = ("cp1252", "iso8859-15")


_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except (UnicodeError, LookupError):
        return _jis(data) if codec.startswith("iso2022_jp") else None


def _jis(data: bytes) -> str | None:
    """ISO-2022-JP with the vendors' characters, which Python's codec has not: each run is read as Shift_JIS (JIS X 0208)."""
    kind, out = b"(B", []
    for at, piece in enumerate(_JIS.split(data)):
        if at % 2:
            kind = piece
        elif kind in (b"$@", b"$B"):
            out.append(b"".join(_shifted(piece[i], piece[i + 1]) for i in range(0, len(piece) - 1, 2)))
        else:
            out.append(bytes(byte | 0x80 for byte in piece) if kind == b"(I" else piece)
    try:
        return b"".join(out).decode("cp932")
    except UnicodeError:
        return None


def _shifted(high: int, low: int) -> bytes:
    if not (0x21 <= high <= 0x7E and 0x21 <= low <= 0x7E):
        return bytes((high, low))
    lead = (high + 1) // 2 + (0x70 if high < 0x5F else 0xB0)
    return bytes((lead & 0xFF, low + (0x1F + (low >= 0x60) if high % 2 else 0x7E)))


def _repair(label: str, codec: str) -> str:
    return f"declared {label!r}, read as {codec}" if label else f"undeclared, read as {codec}"
