"""Addresses in headers and routes (RFC 5322 section 3.4, RFC 6531)."""

from __future__ import annotations

import re
import unicodedata

from ticketmail.adapters.mime.words import MAX_WORD, encoded_words
from ticketmail.domain.address import Address

_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOT_ATOM = re.compile(r"[^\s\x00-\x1f\x7f()<>@,;:\\\".\[\]]+(?:\.[^\s\x00-\x1f\x7f()<>@,;:\\\".\[\]]+)*")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LONG_NAME = 60


def display(address: Address) -> list[str]:
    """The words of ``Name <local@domain>`` as a header shows them, to be joined by blanks and folded between."""
    spec = header_spec(address)
    name = address.name.strip()
    if not name:
        return [spec]
    if name.isascii() and "=?" not in name and len(name) <= _LONG_NAME:
        plain = name if _PHRASE.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return [plain, f"<{spec}>"]
    return [*encoded_words(name, MAX_WORD - 10), f"<{spec}>"]


def header_spec(address: Address) -> str:
    """``local@domain`` with the local part quoted where it must be, and the domain as :func:`ascii_route` has it."""
    local = address.local
    if not (_DOT_ATOM.fullmatch(local) or _QUOTED.fullmatch(local)):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return ascii_route(f"{local}@{address.domain}")


def ascii_route(address: str) -> str:
    """The address with its domain in A-labels (punycode) if its local part is ASCII, so that SMTPUTF8 is seldom needed.

    A non-ASCII local part needs SMTPUTF8 anyway, and its domain stays as it is.
    """
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    if not local.isascii():
        return address
    return local + at + ".".join(_a_label(label) for label in domain.split("."))


def _a_label(label: str) -> str:
    """As IDNA 2008 (RFC 5891) has it for what is normalised already: Python's own codec is of 2003, and to it straße.de is the
    domain of somebody else, strasse.de."""
    return label if label.isascii() else "xn--" + unicodedata.normalize("NFC", label.lower()).encode("punycode").decode("ascii")
