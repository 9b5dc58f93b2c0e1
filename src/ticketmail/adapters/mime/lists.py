"""Reading address lists of headers: strict, linear, without recursion (RFC 5322 section 3.4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from ticketmail.adapters.mime.words import decoded
from ticketmail.domain.address import Address

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[(),:;<>\\"]|[^\s(),:;<>\\"]+|\s+', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def parsed_list(value: str, *, limit: int) -> list[Address]:
    """The mailboxes of a From, To, Cc or Reply-To value; groups give their members. Encoded words only count in display names.

    Raises:
        ValueError: anything else than a list of mailboxes and groups, or more than ``limit`` of them. InvalidAddress is one.
    """
    reader = _Reader(limit)
    for piece in _tokens(value):
        reader.take(piece)
    return reader.finish()


class _Reader:
    """Takes tokens one by one. ``name`` and ``spec`` are those of the mailbox being read; ``angle`` tells within <>."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: list[Address] = []
        self._name: list[str] = []
        self._spec: str | None = None
        self._angle = False
        self._group = False

    def take(self, piece: str) -> None:
        if piece == "<":
            self._open()
        elif piece == ">":
            self._close()
        elif self._angle:
            self._spec = (self._spec or "") + piece
        elif piece == ",":
            self._end(empty_ok=True)
        elif piece == ":":
            self._begin_group()
        elif piece == ";":
            self._end_group()
        elif self._spec is not None:
            self._after_spec(piece)
        else:
            self._name.append(piece)

    def finish(self) -> list[Address]:
        if self._angle or self._group:
            raise ValueError("an address or group is not closed.")
        self._end(empty_ok=True)
        return self._found

    def _after_spec(self, piece: str) -> None:
        # Some releases of CPython 3.11 fold long lists with the comma as an encoded word of its own.
        if "=?" in piece and decoded(piece) == ",":
            self._end(empty_ok=True)
        elif piece.strip():
            raise ValueError("text after an address.")

    def _open(self) -> None:
        if self._angle or self._spec is not None:
            raise ValueError("two addresses without a comma.")
        self._angle, self._spec = True, ""

    def _close(self) -> None:
        if not self._angle:
            raise ValueError("a bracket is closed that was not opened.")
        self._angle = False

    def _begin_group(self) -> None:
        if self._group or self._spec is not None:
            raise ValueError("a colon where none belongs.")
        self._name, self._group = [], True

    def _end_group(self) -> None:
        if not self._group:
            raise ValueError("a semicolon where none belongs.")
        self._end(empty_ok=True)
        self._group = False

    def _end(self, *, empty_ok: bool) -> None:
        text = "".join(self._name).strip()
        if self._spec is None and not text and empty_ok:
            return
        if len(self._found) >= self._limit:
            raise ValueError(f"more than {self._limit} addresses.")
        self._found.append(_mailbox("", text) if self._spec is None else _mailbox(text, self._spec.strip()))
        self._name, self._spec = [], None


def _tokens(value: str) -> Iterator[str]:
    """Tokens without comments, whose nesting is counted, not recursed into."""
    depth = 0
    position = 0
    while position < len(value):
        match = _TOKEN.match(value, position)
        if match is None or match[0] == '"':
            raise ValueError("a quoted string is not closed.")
        position = match.end()
        piece = match[0]
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth -= 1
            if depth < 0:
                raise ValueError("a comment is closed that was not opened.")
        elif piece == "\\" and depth:
            position += 1
        elif not depth:
            yield piece
    if depth:
        raise ValueError("a comment is not closed.")


def _mailbox(name: str, spec: str) -> Address:
    local, at, domain = spec.rpartition("@")
    if not at or not local or not domain or any(char.isspace() for char in domain) or "@" in _unquoted(local):
        raise ValueError(f"{spec[:80]!r} is not an address.")
    if any(char.isspace() for char in _unquoted(local)):
        raise ValueError(f"{spec[:80]!r} has a blank in it.")
    return Address(name=_shown(name), local=local, domain=domain.lower())


def _unquoted(local: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", local)


def _shown(name: str) -> str:
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = _QUOTED_PAIR.sub(r"\1", name[1:-1])
    name = decoded(name)
    if not name.isprintable():
        # A name is shown to people: what they cannot see, or what turns text around, is left out.
        name = "".join(" " if char in "\t\r\n" else char for char in name)
        name = "".join(char for char in name if unicodedata.category(char) not in _UNSEEN)
    return name.strip()
