"""What to think of an attachment before anybody opens it: a name that is fit for a file, and flags. Nothing is dropped. Pure.

Files are stored by their hash, never by their name (CVE-2026-28289: names led out of a folder). The library unpacks nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from typing import Final

from ticketmail.domain.inbound.file_types import ACTIVE, ARCHIVES, BYTES_OF, DANGEROUS, MACROS, PROGRAMS, RESERVED
from ticketmail.domain.inbound.mail import ParsedMail, Part
from ticketmail.domain.inbound.reading import FileNote

#: Longest name that is shown, in bytes: file systems take 255.
MAX_NAME_BYTES: Final = 200
#: An image that stands in a signature is smaller (bytes)...
MAX_LOGO_BYTES: Final = 64 * 1024
#: ... and bears a name that programs give, or a word of signatures.
_LOGO: Final = re.compile(
    r"(?:image|img|outlook|inline|att|pastedgraphic|attachment|unknown|untitled|noname)[-_. ]?[\da-f]{0,16}(?:-\d+)?"
    r"\.(?:png|jpe?g|gif|bmp)$|"
    r"(?:.*[\W_])?(?:logo|banner|signature|signatur|icon|facebook|linkedin|twitter|instagram|xing|youtube|footer)(?:[\W_\d].*)?$"
)
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f<>:\"|?*\u2028\u2029]")
#: Signs that turn the direction of writing (``gpj.exe`` reads as a picture, CVE-2009-3376), surrogates, unassigned ones.
_UNSEEN: Final = ("Cf", "Cs", "Co", "Cn")
_ENDS: Final = re.compile(r"\.([A-Za-z0-9_-]{1,16})")


def notes_of(mail: ParsedMail, shown: Collection[str] = ()) -> tuple[FileNote, ...]:
    """A note on each of ``mail.attachments``, in their order. ``shown`` are the Content-IDs that the HTML shows."""
    copies = Counter(part.content for part in mail.attachments)
    return tuple(note_of(part, shown=(part.content_id or "") in shown, copies=copies[part.content]) for part in mail.attachments)


def note_of(part: Part, *, shown: bool = False, copies: int = 1) -> FileNote:
    """A note on one: its name made fit, and what is odd or risky about it.

    ``shown``: the HTML shows it. ``copies``: how often the same bytes are attached. Flags: ``renamed``, ``dangerous``, ``active``
    (acts in a browser), ``macros``, ``archive``, ``double-extension``, ``type-mismatch``, ``empty``, ``shown``,
    ``signature-image``.
    """
    claimed = part.filename or ""
    name = fit_name(claimed) if claimed else ""
    ends = [one.lower() for one in _ENDS.findall(name)]
    last = ends[-1] if ends and name.lower().endswith(f".{ends[-1]}") else ""
    flags = [
        ("renamed", bool(claimed) and name != claimed),
        ("dangerous", last in DANGEROUS or part.sniffed in PROGRAMS),
        ("active", last in ACTIVE or part.content_type.value in _ACTIVE_TYPES or part.sniffed == "text/html"),
        ("macros", last in MACROS),
        ("archive", last in ARCHIVES or (part.sniffed in _ARCHIVE_TYPES and last not in BYTES_OF)),
        ("double-extension", _is_double(ends, last)),
        ("type-mismatch", _is_mismatch(part, last)),
        ("empty", part.size_bytes == 0 and part.mail is None),
        ("shown", shown),
        ("signature-image", _is_logo(part, shown, copies)),
    ]
    return FileNote(name, tuple(flag for flag, holds in flags if holds))


_ACTIVE_TYPES: Final = frozenset(("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"))
_ARCHIVE_TYPES: Final = frozenset(
    (
        "application/zip",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/gzip",
        "application/x-bzip2",
        "application/x-xz",
    )
)


def fit_name(name: str) -> str:
    """A name for showing and saving: no path, no signs that control or turn, no device, no leading dot, 200 bytes at most.

    The end of the name is kept when it is cut. A name of which nothing is left becomes ``attachment``.
    """
    text = "".join(sign for sign in unicodedata.normalize("NFC", name) if unicodedata.category(sign) not in _UNSEEN)
    text = _UNFIT.sub("_", text.replace("\\", "/").rpartition("/")[2])
    text = " ".join(text.split()).strip(". ")
    if text.split(".")[0].strip().lower() in RESERVED:
        text = f"_{text}"
    return _shortened(text) or "attachment"


def _shortened(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= MAX_NAME_BYTES:
        return name
    stem, dot, end = name.rpartition(".")
    end = f".{end}" if dot and len(end) <= 16 else ""
    kept = (stem if end else name).encode()[: MAX_NAME_BYTES - len(end.encode())]
    return kept.decode(errors="ignore").rstrip(". ") + end


def _is_double(ends: list[str], last: str) -> bool:
    """``invoice.pdf.exe``: what runs, behind what people open without a thought."""
    return len(ends) > 1 and last in DANGEROUS | ACTIVE | MACROS and ends[-2] not in DANGEROUS and ends[-2].isalpha()


def _is_mismatch(part: Part, last: str) -> bool:
    """The bytes are of another kind than the name says. Bytes that say nothing are not held against a file, but for a text."""
    expected = BYTES_OF.get(last)
    if expected is None or part.size_bytes == 0:
        return False
    return part.sniffed not in expected and (part.sniffed != "" or last in ("pdf", "png", "gif", "zip"))


def _is_logo(part: Part, shown: bool, copies: int) -> bool:
    """A small image within the HTML, named as programs name them, or attached more than once."""
    if not part.content_type.value.startswith("image/") or part.size_bytes > MAX_LOGO_BYTES:
        return False
    if not (shown or part.content_id or part.disposition == "inline"):
        return False
    return copies > 1 or _LOGO.match((part.filename or "unknown.png").lower()[:200]) is not None
