"""The shipped contract of all spools, kept on Postgresql."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sql_support import spools

contract = pytest.importorskip("ticketmail.testing.spool_contract", reason="the shipped contract suite is not here yet")


@pytest.mark.postgresql
class TestPostgresqlSpool(contract.SpoolContract):  # type: ignore[misc,name-defined]
    @pytest.fixture
    def make_spool(self, postgresql_url: str) -> Iterator[Callable[..., Any]]:
        yield from spools(postgresql_url)
