"""Encoded words (RFC 2047) as they are found: within quotes, side by side, split within a character, with blanks in them."""

from __future__ import annotations

import binascii
import re
from typing import Final

from ticketmail.adapters.mime.reading.charsets import decode
from ticketmail.adapters.mime.reading.transfer import unbase64

_START: Final = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?")


def decoded_words(text: str) -> str:
    """Text with its encoded words decoded; what is broken beyond reading stays as it stands. Linear."""
    if "=?" not in text:
        return text
    out: list[str] = []
    run: list[bytes] = []  # bytes of neighbouring words in one charset: a character may be split between them
    charset, at = "", 0
    while (start := _START.search(text, at)) is not None:
        end, behind = _end(text, start.end())
        gap = text[at : start.start()]
        if gap.strip() or not run:
            _flush(out, run, charset)
            out.append(gap)
        if start[1].lower() != charset.lower():
            _flush(out, run, charset)
        charset = start[1]
        run.append(_payload(text[start.end() : end], start[2]))
        at = behind
    _flush(out, run, charset)
    out.append(text[at:])
    return "".join(out)


def _end(text: str, start: int) -> tuple[int, int]:
    """Where the word's payload ends, and the place behind the word. One that is not closed ends at a blank, or with the text."""
    end = text.find("?=", start)
    if end >= 0:
        return end, end + 2
    blank = text.find(" ", start)
    return (blank, blank) if blank >= 0 else (len(text), len(text))


def _flush(out: list[str], run: list[bytes], charset: str) -> None:
    if run:
        out.append(decode(b"".join(run), charset).text)
        run.clear()


def _payload(payload: str, encoding: str) -> bytes:
    raw = payload.encode("utf-8", "surrogateescape")
    if encoding in "bB":
        return unbase64(raw)
    return binascii.a2b_qp(raw.replace(b"_", b" "), header=False)
