"""How much of one mail is read. Over a limit the mail is degraded, never lost."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """Defaults are far above what people send, and far below what hurts a reader.

    Time and memory of a whole mail are bounded again by the process that reads it.
    """

    raw_bytes: int = 40 * MIB  #: beyond: only the header is read
    header_bytes: int = 256 * 1024  #: of one header block
    field_bytes: int = 32 * 1024  #: of one field; the rest of it is cut
    fields: int = 1_000  #: of one header block
    depth: int = 20  #: multiparts within multiparts
    parts: int = 500  #: of the whole mail, attached mails included
    attachments: int = 100  #: further ones are counted, not kept
    decoded_bytes: int = 100 * MIB  #: of all parts together
    text_bytes: int = 1 * MIB  #: of a text body
    html_bytes: int = 2 * MIB  #: of an HTML body
    addresses: int = 200  #: of one header
    references: int = 32  #: the newest are kept, and the first
    nested_mails: int = 3  #: mails within mails that are opened; deeper ones stay files


DEFAULT_LIMITS = ReadingLimits()
