"""Content-Type and Content-Disposition with their parameters, as they are found: RFC 2045, 2183, 2231, and RFC 2047 in quotes."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from ticketmail.adapters.mime.reading.charsets import decode
from ticketmail.adapters.mime.reading.encoded import decoded_words

MAX_PARAMETERS: Final = 100  #: the standard library takes seconds for thousands of them
_PARAMETER: Final = re.compile(r"""[;\s]*([^\s=;"]{1,80})\s*=\s*(?:"((?:[^"\\]|\\.)*)("|$)|([^;]*))""", re.DOTALL)
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_SECTION: Final = re.compile(r"([^*]+)\*(?:(\d{1,3})(\*)?)?")
#: A parameter right behind the value, the semicolon forgotten.
_UNPARTED: Final = re.compile(r"\s{0,80}([\w/.+-]{3,200})\s{1,80}[\w*-]{1,80}\s{0,80}=")
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


def parse_parameterised(text: str) -> tuple[str, dict[str, str]]:
    """The value in front, lower-cased, and the parameters by lower-case name, decoded. ``text`` is unfolded. Linear."""
    head, _, rest = text.partition(";")
    if (unparted := _UNPARTED.match(head)) is not None:
        head, rest = head[: unparted.end(1)], f"{head[unparted.end(1) :]};{rest}"
    value = head.strip().strip('"').lower()
    if "=" in value and not rest:  # parameters alone
        value, rest = "", head
    return value, _parameters(rest)


def is_type(value: str) -> bool:
    """Whether it has the form ``type/subtype``."""
    return _TYPE.fullmatch(value) is not None


def _parameters(text: str) -> dict[str, str]:
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    at = 0
    for _ in range(MAX_PARAMETERS):
        match = _PARAMETER.match(text, at)
        if match is None:
            skip = text.find(";", at)
            if skip < 0:
                break
            at = skip + 1
            continue
        at = match.end()
        name, value = match[1].lower(), _value(match)
        section = _SECTION.fullmatch(name)
        if section is None:
            plain.setdefault(name, value)
        else:
            number = int(section[2] or 0)
            sections.setdefault(section[1], {}).setdefault(number, (value, section[2] is None or section[3] is not None))
    read = {name: decoded_words(value) for name, value in plain.items()}
    return {**read, **{name: _joined(parts) for name, parts in sections.items()}}


def _value(match: re.Match[str]) -> str:
    if match[2] is not None:
        quoted = match[2]
        # A Windows path in quotes is no sequence of quoted pairs, though RFC 2045 says so.
        return quoted if re.match(r"[A-Za-z]:\\", quoted) else _PAIR.sub(r"\1", quoted)
    return str(match[4]).strip()


def _joined(parts: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 sections 3 and 4: continuations in the order of their numbers, those with a ``*`` percent-encoded."""
    charset, pieces = "", []
    for at, number in enumerate(sorted(parts)):
        value, encoded = parts[number]
        if at == 0 and encoded and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        raw = unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace")
        pieces.append(raw)
    text = decode(b"".join(pieces), charset).text
    return decoded_words(text) if "=?" in text else text
