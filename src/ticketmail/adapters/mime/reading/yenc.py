"""Files that stand in a body between ``=ybegin`` and ``=yend``: what newsreaders post, http://www.yenc.org/yenc-draft.1.3.txt."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_BEGIN: Final = re.compile(r"^=ybegin (?=[^\r\n]{0,200}\bsize=\d)[^\r\n]{0,200}\bname=([^\r\n]{1,255})\r?\n", re.MULTILINE)
_END: Final = re.compile(r"^=yend [^\r\n]{0,200}(?:\r?\n|\Z)", re.MULTILINE)
_SHIFTED: Final = bytes((byte - 42) % 256 for byte in range(256))
_ESCAPED: Final = re.compile(rb"=([^=])", re.DOTALL)
#: Four values of 256 must be escaped; what has more than this share of escapes is made to take time.
MOST_ESCAPES: Final = 1 / 16


def take_files(text: str, content: bytes, *, limit: int) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without the files in it, and the files: name and content, at most ``limit``. Their bytes are no text: they are
    read from ``content``, which the text was decoded from, and may be longer.
    """
    if "=ybegin " not in text:
        return text, []
    places, blocks = _blocks(text, limit, cut=True), _blocks(content.decode("latin-1"), limit, cut=False)
    files = [(one.name.encode("latin-1").decode("utf-8", "replace"), _decoded(one.data.encode("latin-1"))) for one in blocks]
    if len(places) != len(files):
        return text, []
    kept, at = [], 0
    for one in places:
        kept.append(text[at : one.start])
        at = one.stop
    return "".join([*kept, text[at:]]), files


class _Block(NamedTuple):
    start: int
    stop: int
    name: str
    data: str


def _blocks(text: str, limit: int, *, cut: bool) -> list[_Block]:
    """Where each file begins and ends. ``cut``: the last one may go on beyond the text."""
    found: list[_Block] = []
    at = 0
    while len(found) < limit and (begin := _BEGIN.search(text, at)) is not None:
        end = _END.search(text, begin.end())
        if end is None and not cut:
            break
        last, at = (end.start(), end.end()) if end is not None else (len(text), len(text))
        found.append(_Block(begin.start(), at, begin[1].strip(' "'), text[begin.end() : last]))
    return found


def _decoded(raw: bytes) -> bytes:
    """Each byte less 42; behind ``=``, less 64 more. A part of a file that came in several begins with ``=ypart``."""
    if raw.startswith(b"=ypart "):
        raw = raw.partition(b"\n")[2]
    raw = raw.translate(None, b"\r\n")
    if raw.count(b"=") > len(raw) * MOST_ESCAPES + 100:
        return raw
    return _ESCAPED.sub(lambda pair: bytes(((pair[1][0] - 64) % 256,)), raw).translate(_SHIFTED)
