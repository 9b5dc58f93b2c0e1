"""What two subjects of one conversation share: prefixes of answers and forwards, list tags and warnings are left off. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Answer, in the languages whose mail programs translate it (inbound rules, section 4.4; Wikipedia, "List of email subject
#: abbreviations").
ANSWERS: Final = ("re", "aw", "sv", "antw", "vs", "odp", "ynt", "r", "res", "ref", "bls", "atb", "回复", "答复", "回覆", "返信")
#: Forward, likewise.
FORWARDS: Final = ("fwd", "fw", "wg", "tr", "rv", "enc", "i", "vl", "doorst", "pd", "vb", "转发", "轉寄", "転送")

_PREFIX: Final = re.compile(rf"^\s*(?:(?P<word>{'|'.join((*ANSWERS, *FORWARDS))})(?:\s*[\[(]\d{{1,3}}[\])]|\^\d)?\s*[:：])", re.I)
#: A gateway's warning (Exchange rules, Proofpoint).
_WARNING: Final = re.compile(r"^\s*[\[(](?:external|ext|extern|caution|warning)[\])][:\s]*", re.I)
_LIST_TAG: Final = re.compile(r"^\s*\[[^\]\r\n]{1,40}\]\s*")
_LOOKED_AT: Final = 500  #: characters


def bare(subject: str) -> str:
    """The subject without what mail programs, gateways and lists put before it: equal for one topic. NFC, lower case."""
    text = unicodedata.normalize("NFC", subject[:_LOOKED_AT])
    while True:
        for pattern in (_WARNING, _PREFIX, _LIST_TAG):
            shorter = pattern.sub("", text, count=1)
            if shorter != text and shorter.strip():
                text = shorter
                break
        else:
            return " ".join(text.split()).lower()


def is_forward(subject: str) -> bool:
    """Whether its outermost prefix says that it was passed on."""
    match = _PREFIX.match(_WARNING.sub("", subject[:_LOOKED_AT], count=1))
    return match is not None and match["word"].lower() in FORWARDS
