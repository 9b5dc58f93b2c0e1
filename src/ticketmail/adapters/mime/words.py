"""Encoded words (RFC 2047): made from text, and read back without Python's whole set of codecs."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

#: Section 2: an encoded word has at most 75 characters.
MAX_WORD = 75
_FRAME = len("=?utf-8?q?") + len("?=")
#: Section 5 (3): what may stand for itself in a phrase, the strictest place.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")
_Q = ["_" if byte == 0x20 else chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in range(256)]

_WORD = re.compile(r"=\?([\w.:-]{1,40})(?:\*[\w-]{0,20})?\?([bq])\?([^?\s]{0,2000})\?=", re.IGNORECASE)
_BETWEEN = re.compile(r"(\?=)[ \t\r\n]+(?==\?[\w.:*-]{1,60}\?[bq]\?)", re.IGNORECASE)

#: Charset labels that mail uses. Others name Python codecs that are no charsets (``unicode_escape``, ``zlib``).
CHARSETS = frozenset(
    [
        "utf-8",
        "utf8",
        "us-ascii",
        "ascii",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        "shift_jis",
        "euc-jp",
        "iso-2022-jp",
        "euc-kr",
        "iso-2022-kr",
        "koi8-r",
        "koi8-u",
        "tis-620",
    ]
    + [f"iso-8859-{number}" for number in range(1, 17) if number != 12]
    + [f"windows-{number}" for number in range(1250, 1259)]
)


def encoded_words(text: str, first: int) -> list[str]:
    """``text`` (not empty) as encoded words in UTF-8, split between characters; the first has at most ``first`` characters.

    Q or B, whichever is shorter. Raises UnicodeEncodeError on lone surrogates.
    """
    raw = text.encode("utf-8")
    quoted = sum(1 if byte in _PLAIN or byte == 0x20 else 3 for byte in raw)
    if quoted <= (len(raw) + 2) // 3 * 4:
        return _split(text, first, _q_size, _q_word)
    return _split(text, first, _b_size, _b_word)


def decoded(value: str) -> str:
    """Text with encoded words decoded. An unknown charset or broken word stays as it stands. Linear in the length."""
    return _WORD.sub(_read, _BETWEEN.sub(r"\1", value)) if "=?" in value else value


def _split(text: str, first: int, size: Callable[[str], float], word: Callable[[str], str]) -> list[str]:
    words: list[str] = []
    start, room = 0, first - _FRAME
    used = 0.0
    for end, char in enumerate(text):
        cost = size(char)
        if used + cost > room and end > start:
            words.append(word(text[start:end]))
            start, used, room = end, 0.0, MAX_WORD - _FRAME
        used += cost
    words.append(word(text[start:]))
    return words


def _q_size(char: str) -> float:
    return len(_Q[ord(char)]) if char.isascii() else 3 * len(char.encode())


def _b_size(char: str) -> float:
    # Four thirds of the bytes; base64 pads each word to a multiple of four, for which 45 of 63 characters leave room.
    return (1 if char.isascii() else len(char.encode())) * 63 / 45


def _q_word(text: str) -> str:
    return "=?utf-8?q?" + "".join([_Q[byte] for byte in text.encode()]) + "?="


def _b_word(text: str) -> str:
    return "=?utf-8?b?" + binascii.b2a_base64(text.encode(), newline=False).decode() + "?="


def _read(match: re.Match[str]) -> str:
    charset, encoding, payload = match[1].lower(), match[2].lower(), match[3]
    if charset not in CHARSETS:
        return match[0]
    try:
        raw = payload.encode("ascii")
        data = binascii.a2b_base64(raw) if encoding == "b" else binascii.a2b_qp(raw, header=True)
        return data.decode(charset, "replace")
    except (ValueError, LookupError):
        return match[0]
