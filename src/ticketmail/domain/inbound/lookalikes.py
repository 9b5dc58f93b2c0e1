"""Letters of several alphabets in one word of an address: it may be made to be taken for another (Unicode UTS 39 section 5.1)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

#: Alphabets that share the looks of letters. Others (Han with Latin, say) are mixed by honest people.
_ALIKE: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
_WORD: Final = re.compile(r"[^\W\d_]+")


def looks_alike(address: str) -> bool:
    """Whether a word of the address mixes such alphabets. What is all of one foreign alphabet is not told from honest names."""
    local, _, domain = address.rpartition("@")
    readable = ".".join([local, *map(_readable, domain.split("."))])
    return any(len({*_alphabets(word)}) > 1 for word in _WORD.findall(readable))


def _readable(label: str) -> str:
    """An A-label as people see it (RFC 3492)."""
    if not label.lower().startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _alphabets(word: str) -> Iterator[str]:
    names = (unicodedata.name(char, "").partition(" ")[0] for char in word)
    return (name for name in names if name in _ALIKE)
