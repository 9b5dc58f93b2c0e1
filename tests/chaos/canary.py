"""Secrets that must never be seen again: planted in settings, looked for in everything that a run leaves behind."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from chaos.databases import fetch, kind_of


@dataclass(frozen=True)
class Canary:
    """A secret that no text holds by chance. Its special characters show whether escaped forms leak too."""

    secret: str = field(default_factory=lambda: f"canary/{secrets.token_hex(8)}@{secrets.token_hex(4)}", repr=False)

    @property
    def in_url(self) -> str:
        """As it stands in a URL."""
        return quote(self.secret, safe="")

    def forms(self) -> tuple[bytes, ...]:
        """Every form in which it could leak: plain, escaped, the tail of a URL cut at the wrong @, and base64 of logins."""
        plain = self.secret.encode()
        login = base64.b64encode(b"\0desk\0" + plain)
        return (plain, self.in_url.encode(), plain.partition(b"@")[2], base64.b64encode(plain), login)

    def seen_in(self, text: str | bytes) -> bool:
        """One of its forms is there."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        return any(form in data for form in self.forms())

    def leaks(self, texts: dict[str, str | bytes]) -> list[str]:
        """The names of texts that hold it."""
        return [name for name, text in texts.items() if self.seen_in(text)]


def files_below(directory: Path, *, but: Iterable[Path] = ()) -> dict[str, str | bytes]:
    """Every file below a directory, except those in which the secret was planted."""
    planted = set(but)
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file() and path not in planted}


def rows_of(url: str) -> dict[str, str | bytes]:
    """Every row of every table of a server's database, as text."""
    schema = "'public'" if kind_of(url) == "postgresql" else "DATABASE()"
    names = fetch(url, f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}")
    return {f"table {name}": "\n".join(map(repr, fetch(url, f"SELECT * FROM {name}"))) for (name,) in names}
