"""The shipped contract of all spools, kept on Postgresql."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sql_support import OpenTransaction, spools

from ticketmail.testing.spool_contract import SpoolContract


@pytest.mark.postgresql
class TestPostgresqlSpool(SpoolContract):
    @pytest.fixture
    def make_spool(self, postgresql_url: str) -> Iterator[Callable[..., Any]]:
        yield from spools(postgresql_url)

    @pytest.fixture
    def host_transaction(self, spool: Any, postgresql_url: str) -> Iterator[OpenTransaction]:
        import psycopg

        spool.reading.now_us()  # the tables are there before a host joins
        with closing(psycopg.connect(postgresql_url)) as connection:
            connection.execute("SELECT 1")
            yield OpenTransaction(connection)
