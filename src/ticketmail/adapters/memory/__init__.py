"""``memory://``: a spool for tests and demonstrations, gone with its process. ``memory://name`` is one per process and name."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from ticketmail.adapters.memory.spool import MemorySpool
from ticketmail.adapters.memory.store import Access, Store
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions

__all__ = ["MemorySpool", "create"]

_named: dict[str, Store] = {}
_naming = threading.Lock()


def create(url: str, options: SpoolOptions) -> SpoolAdapter:
    """A spool in memory: ``memory://`` a fresh one, ``memory://name`` the one of that name in this process.

    Raises:
        SettingsError: the URL has more than a name.
    """
    parts = urlsplit(url)
    if parts.scheme != "memory" or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError("this is not a URL of a spool in memory.", name="spool", remedy="Use memory:// or memory://NAME.")
    return MemorySpool(Access(_store(parts.netloc), options))


def _store(name: str) -> Store:
    if not name:
        return Store()
    with _naming:
        return _named.setdefault(name, Store())
