"""Address headers read tolerantly, in linear time and without recursion (RFC 5322 section 3.4 and what is sent instead of it).

What strict readers refuse is kept for people to see; whether mail may be sent there, :class:`Address` decides.
Encoded words are decoded in names only, never within an address (GHSA-mvxr-6m87-mv2q).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ticketmail.adapters.mime.reading.encoded import decoded_words
from ticketmail.domain.inbound.mail import Party

_WORD: Final = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]{0,2000}\?="  #: an encoded word, whatever it holds
_TOKEN: Final = re.compile(_WORD + r'|"(?:[^"\\]|\\.)*"|[(),:;<>"\\\[\]]|[^\s(),:;<>"\\\[\]]+|\s+', re.DOTALL)
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_AROUND: Final = re.compile(r"\s*([@.])\s*")  #: blanks allowed by RFC 5322 section 4.4
_SPEC: Final = re.compile(r"[^\s<>()@,;:\"]{1,200}@[^\s<>()@,;:\"]{1,255}")


def parse_parties(text: str, *, limit: int) -> tuple[Party, ...]:
    """The parties named in an unfolded, still encoded address header; members of groups too. At most ``limit``."""
    reader = _Reader(limit)
    for piece in _TOKEN.findall(text):
        reader.take(piece)
    reader.end()
    return tuple(reader.found)


class _Reader:
    """Takes tokens one by one. Each of ``words``, ``spec`` and ``comment`` is what has been read of the party so far."""

    def __init__(self, limit: int) -> None:
        self.found: list[Party] = []
        self._limit = limit
        self._depth = 0
        self._reset()
        self._pending: list[str] = []  # words before commas that were no address: a name without quotes, or local users

    def _reset(self) -> None:
        self._words: list[str] = []
        self._spec: list[str] | None = None
        self._angle = False
        self._comment: list[str] = []

    def take(self, piece: str) -> None:
        """One token."""
        if piece == "(":
            self._depth += 1
            if self._depth > 1:
                self._comment.append(piece)
        elif self._depth:
            self._in_comment(piece)
        elif self._angle:
            self._in_angle(piece)
        elif piece == "<":
            self._angle = True
            if self._spec is not None and "".join(self._spec).strip():
                self._words.append("".join(self._spec))
            self._spec = []
        elif piece in ",;":
            self.end(separator=piece)
        elif piece == ":" and self._spec is None and not any("@" in word for word in self._words):
            self._reset()  # the name of a group
            self._pending = []
        elif self._spec is None or piece.strip():
            self._words.append(piece)

    def _in_comment(self, piece: str) -> None:
        if self._comment and self._comment[-1] == "\\":
            self._comment[-1] = ""
        elif piece == ")":
            self._depth -= 1
        if self._depth:
            self._comment.append(piece)

    def _in_angle(self, piece: str) -> None:
        if piece == ">":
            self._angle = False
        elif piece == "<":
            self._spec = []
        elif self._spec is not None:
            self._spec.append(piece)

    def end(self, separator: str = "") -> None:
        """The party is complete."""
        words, spec = "".join(self._words).strip(), "".join(self._spec or ()).strip()
        comment = "".join(self._comment).strip()
        bracketed = self._spec is not None
        self._reset()
        if bracketed and spec:
            words = ", ".join([*self._pending, words.rstrip("> ")])  # one bracket too many
            self._pending = []
        else:
            words, spec = _bare(words) if not bracketed else (words, "")
            if not spec and words and separator == ",":
                self._pending.append(words)
                return
        self._flush()
        self._add(words, spec, comment)

    def _flush(self) -> None:
        for words in self._pending:
            self._add(words, "", "")
        self._pending = []

    def _add(self, words: str, spec: str, comment: str) -> None:
        if not (words or spec) or len(self.found) >= self._limit:
            return
        if not spec and words and not any(char.isspace() for char in words):
            words, spec = "", words  # a user of the sender's own machine
        name = shown_name(words) or shown_name(comment)
        address = _address(spec)
        self.found.append(Party(name="" if name == address else name, address=address))


def shown_name(words: str) -> str:
    """A display name as people should see it: unquoted, decoded, without what is invisible or turns text around."""
    name = words.strip()
    if len(name) > 1 and name.startswith('"') and name.endswith('"') and '"' not in _PAIR.sub("", name[1:-1]):
        name = name[1:-1]
    name = decoded_words(_PAIR.sub(r"\1", name))
    if not name.isprintable():
        name = "".join(char for char in name if char == "\u200d" or unicodedata.category(char) not in _UNSEEN)
    return " ".join(name.split()).strip("\"' " if name.startswith(("'", '"')) else " ")


def _bare(words: str) -> tuple[str, str]:
    """Words without angle brackets: an address, an address with a name beside it, or no address at all."""
    if "@" not in words:
        return words, ""
    if not any(char.isspace() for char in words) or words.startswith('"'):
        return ("", words) if not words.startswith('"') or '"@' in words else _around(words)
    return _around(words)


def _around(words: str) -> tuple[str, str]:
    match = _SPEC.search(words)
    if match is None:
        return "", words
    return (words[: match.start()] + words[match.end() :]).strip(), match[0]


def _address(spec: str) -> str:
    spec = _AROUND.sub(r"\1", " ".join(spec.split())) if '"' not in spec else spec.strip()
    if spec.startswith("@") and ":" in spec:  # a source route, RFC 5321 section 4.1.1.3
        spec = spec.rpartition(":")[2]
    if spec.lower().startswith("mailto:"):
        spec = spec[7:]
    return "".join(char for char in spec if unicodedata.category(char) not in _UNSEEN) if not spec.isprintable() else spec
