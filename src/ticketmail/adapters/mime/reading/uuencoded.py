"""Files that stand in a text between ``begin 644 name`` and ``end``: mail from before MIME, and from Unix scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ticketmail.adapters.mime.reading.transfer import unuuencode

_BEGIN: Final = re.compile(r"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.MULTILINE)
_END: Final = re.compile(r"^(?:`\r?\n)?end[ \t]*\r?$\n?", re.MULTILINE)
#: The first line of data: a length and its characters (POSIX uuencode).
_DATA: Final = re.compile(r"[!-`][ -`]{1,90}\r?\n")


def take_files(text: str, *, limit: int) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without the files in it, and the files: name and content, at most ``limit``."""
    if "begin " not in text:
        return text, []
    kept: list[str] = []
    files: list[tuple[str, bytes]] = []
    at = 0
    for start, data, stop, behind, name in _blocks(text):
        if len(files) >= limit:
            break
        kept.append(text[at:start])
        files.append((name, unuuencode(text[data:stop].encode("latin-1", "replace"))))
        at = behind
    kept.append(text[at:])
    return "".join(kept), files


def _blocks(text: str) -> Iterator[tuple[int, int, int, int, str]]:
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.end()
        if not _DATA.match(text, at):
            continue
        end = _END.search(text, at)
        if end is None:
            return
        yield begin.start(), begin.end(), end.start(), end.end(), begin[1].strip()
        at = end.end()
