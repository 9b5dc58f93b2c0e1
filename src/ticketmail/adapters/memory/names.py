"""Names of what lives in memory: ``memory://name``."""

from __future__ import annotations

import re
from typing import Final

from ticketmail.domain.errors import SettingsError

_NAME: Final = re.compile(r"[A-Za-z0-9._-]*")


def name_of(url: str, *, what: str, setting: str) -> str:
    """The name in ``url``, '' if it has none. Raises SettingsError."""
    name = url.partition("://")[2].rstrip("/")
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{what} in memory has a plain name.", name=setting, remedy="Such as memory://desk, or memory://.")
    return name
