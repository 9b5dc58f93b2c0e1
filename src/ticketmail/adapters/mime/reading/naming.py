"""Names of attached files: decoded, and fit to be shown. They are never a path (CVE-2026-28289: strip first, then check)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

MAX_CHARS: Final = 255
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BREAK: Final = re.compile(r"[\t\r\n]+ ?")
_FOLDER: Final = re.compile(r"^(?:[A-Za-z]:)?.*[\\/]", re.DOTALL)


def file_name(disposition: Mapping[str, str], content_type: Mapping[str, str]) -> str | None:
    """The name that the mail gives a file, None if it gives none. Content-Disposition is asked first (RFC 2183 section 2.3)."""
    for found in (disposition.get("filename"), content_type.get("name"), disposition.get("name"), content_type.get("filename")):
        if found and (name := shown_file_name(found)):
            return name
    return None


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
