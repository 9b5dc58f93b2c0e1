"""Retention."""

from __future__ import annotations

from collections.abc import Mapping

from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.domain.ports.delivering import Retention


async def purge(thread: SpoolThread, retention: Retention, limit: int) -> Mapping[str, int]:
    return {}
