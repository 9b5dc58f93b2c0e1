"""``Operating``: acts of people."""

from __future__ import annotations

from ticketmail.adapters.sql.engine import Database


class SqlOperating:
    def __init__(self, database: Database) -> None:
        self._database = database
