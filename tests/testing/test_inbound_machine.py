"""Any order of crashes, repeats and copies gives exactly one event per mail, in memory and on SQLite."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings

from ticketmail.adapters.memory import create as in_memory
from ticketmail.adapters.sql import create as on_sql
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.inbound_machine import inbound_machine


def on_sqlite(options: SpoolOptions) -> SpoolAdapter:
    return on_sql(f"sqlite:///{Path(tempfile.mkdtemp())}/spool.db", options)


TestInMemory = inbound_machine(lambda options: in_memory("memory://", options)).TestCase
TestInMemory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOnSqlite = inbound_machine(on_sqlite).TestCase
TestOnSqlite.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
