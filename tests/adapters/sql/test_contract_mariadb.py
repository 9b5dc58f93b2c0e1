"""The shipped contract of all spools, kept on Mariadb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sql_support import OpenTransaction, mariadb_connection, spools

from ticketmail.testing.spool_contract import SpoolContract


@pytest.mark.mariadb
class TestMariadbSpool(SpoolContract):
    @pytest.fixture
    def make_spool(self, mariadb_url: str) -> Iterator[Callable[..., Any]]:
        yield from spools(mariadb_url)

    @pytest.fixture
    def host_transaction(self, spool: Any, mariadb_url: str) -> Iterator[OpenTransaction]:
        spool.reading.now_us()  # the tables are there before a host joins
        with closing(mariadb_connection(mariadb_url)) as connection:
            yield OpenTransaction(connection)
