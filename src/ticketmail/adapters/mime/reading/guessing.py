"""Which charset undeclared bytes are in: a few questions that tell the usual ones apart. Pure, bounded by its sample."""

from __future__ import annotations

import re
from typing import Final

_SAMPLE: Final = 65_536
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_ENOUGH: Final = 0.55  #: such a part of the letters must be frequent ones
_TELLING: Final = 3  #: fewer different letters tell nothing: `üß` are Greek ones, too
_INTACT: Final = 4  #: so many characters are well formed for each that is broken


def guess(data: bytes) -> str:
    """A codec for bytes that are neither ASCII nor UTF-8; windows-1252 if nothing speaks for another."""
    sample = data[:_SAMPLE]
    if wide := _wide(sample):
        return wide
    runs = _HIGH.findall(sample)
    if not runs or sum(map(len, runs)) < 1.5 * len(runs):  # single letters among those of ASCII: a Latin script
        return "cp1252"
    return _asian(sample) or _one_byte(sample) or "cp1252"


def is_damaged_utf8(data: bytes) -> bool:
    """Whether it is UTF-8 but for a few bytes: cut within a character, or pieces of something else put in. Text in any other
    charset has hardly a sequence that is well formed."""
    text = data[:_SAMPLE].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    return broken > 0 and good >= _INTACT * broken


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    if sample.count(0) * 3 < len(sample):
        return ""
    return "utf-16-le" if sample[1::2].count(0) >= sample[::2].count(0) else "utf-16-be"


def _asian(sample: bytes) -> str:
    """By the characters that make up most of any text: kana, hangul, level one of GB 2312 and of Big5."""
    for codec, ranges, enough in _COMMON:
        try:
            text = sample.decode(codec, "ignore" if len(sample) == _SAMPLE else "strict")
        except UnicodeError:
            continue
        wide = [char for char in text if not char.isascii()]
        leads = [char.encode(codec, "replace")[0] for char in wide]
        common = sum(any(low <= lead <= high for low, high in ranges) for lead in leads)
        frequent = codec != "cp949" or sum(char in _HANGUL for char in wide) * 5 >= len(wide)
        if leads and common >= enough * len(leads) and frequent:
            return codec
    return ""


#: Codec, the lead bytes of what is common in it, the part of all double-byte characters that these must be.
_COMMON: Final = (
    ("euc_jp", ((0xA4, 0xA5),), 0.3),
    ("cp932", ((0x81, 0x83),), 0.4),
    ("cp949", ((0xB0, 0xC8),), 0.8),
    ("gb18030", ((0xB0, 0xD7), (0xA1, 0xA1), (0xA3, 0xA3)), 0.8),
    ("big5", ((0xA1, 0xC6),), 0.8),
)


#: The most frequent syllables of Korean: other texts in these bytes are Chinese.
_HANGUL: Final = frozenset("이다는에의을가고하지니요시사기로를서도은한인자리아나안")


#: Scripts of one byte a letter, with the codecs that mail is found in, and the dozen and a half letters that make up most of any
#: text in them (letter frequencies of the languages' Wikipedias).
_FREQUENT: Final = (
    (("cp1251", "koi8-r", "iso8859-5"), frozenset("оеаинтсрвлкмдпуяы")),
    (("cp1253", "iso8859-7"), frozenset("αοιετσνηυρπκμλςόίάέ")),
    (("cp1255", "iso8859-8"), frozenset("יוהלאתרבמשנד")),
    (("cp1256", "iso8859-6"), frozenset("اليمنرتوبهعدفسك")),
    (("cp874",), frozenset("านรอกเงมยลวดทสคใแบ่้ีัิ")),
)


def _one_byte(sample: bytes) -> str:
    """The one of which most letters are the frequent ones of its script. One codec's frequent letters are another's rare ones:
    KOI8-R has small letters where windows-1251 has capitals."""
    best, most = "", 0.0
    for codecs, frequent in _FREQUENT:
        for codec in codecs:
            letters = [char for char in sample.decode(codec, "replace") if not char.isascii()]
            part = sum(char in frequent for char in letters) / len(letters)
            if part >= _ENOUGH and part > most and len(set(letters)) > _TELLING:
                best, most = codec, part
    return best
