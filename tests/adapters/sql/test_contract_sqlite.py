"""The shipped contract of all spools, kept on Sqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sql_support import OpenTransaction, spools

from ticketmail.testing.spool_contract import SpoolContract


class TestSqliteSpool(SpoolContract):
    @pytest.fixture
    def make_spool(self, tmp_path: Path) -> Iterator[Callable[..., Any]]:
        yield from spools(f"sqlite:///{tmp_path}/spool.db")

    @pytest.fixture
    def host_transaction(self, spool: Any, tmp_path: Path) -> Iterator[OpenTransaction]:
        spool.reading.now_us()  # the tables are there before a host joins
        with closing(sqlite3.connect(tmp_path / "spool.db", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield OpenTransaction(connection)
