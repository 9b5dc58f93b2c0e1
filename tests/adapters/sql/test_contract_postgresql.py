"""The shipped contract of all spools, kept on Postgresql."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sql_support import spools

from ticketmail.testing.spool_contract import SpoolContract


@pytest.mark.postgresql
class TestPostgresqlSpool(SpoolContract):
    @pytest.fixture
    def make_spool(self, postgresql_url: str) -> Iterator[Callable[..., Any]]:
        yield from spools(postgresql_url)
