"""Names of attached files: decoded, and fit to be shown. They are never a path (CVE-2026-28289: strip first, then check)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

MAX_CHARS: Final = 255
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Signs that turn the direction of reading (UAX 9): ``invoice<U+202E>fdp.exe`` is shown as ``invoiceexe.pdf``.
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAK: Final = re.compile(r"[\t\r\n]+ ?")
_FOLDER: Final = re.compile(r"^(?:[A-Za-z]:)?.*[\\/]", re.DOTALL)


def file_name(disposition: Mapping[str, str], content_type: Mapping[str, str]) -> str | None:
    """The name that the mail gives a file, None if it gives none. Content-Disposition is asked first (RFC 2183 section 2.3)."""
    return next(filter(None, map(shown_file_name, _claimed(disposition, content_type))), None)


def is_turned(disposition: Mapping[str, str], content_type: Mapping[str, str]) -> bool:
    """Whether a name that the mail gives a file would be read as another one."""
    return any(_TURNING.search(one) for one in _claimed(disposition, content_type))


def _claimed(disposition: Mapping[str, str], content_type: Mapping[str, str]) -> Iterator[str]:
    for parameters, name in (
        (disposition, "filename"),
        (content_type, "name"),
        (disposition, "name"),
        (content_type, "filename"),
    ):
        if found := parameters.get(name):
            yield found


def shown_file_name(text: str) -> str:
    """Without folders, control and invisible characters."""
    if not text.isprintable():
        text = _BREAK.sub(" ", text)
        text = "".join(char for char in text if unicodedata.category(char) not in _UNSEEN)
    name = _FOLDER.sub("", text.strip().strip('"')).strip()
    if len(name) > MAX_CHARS:
        stem, dot, ending = name.rpartition(".")
        name = name[:MAX_CHARS] if not dot or len(ending) > 20 else f"{stem[: MAX_CHARS - len(ending) - 1]}.{ending}"
    return name
