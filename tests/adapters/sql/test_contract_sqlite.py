"""The shipped contract of all spools, kept on Sqlite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sql_support import spools

contract = pytest.importorskip("ticketmail.testing.spool_contract", reason="the shipped contract suite is not here yet")


class TestSqliteSpool(contract.SpoolContract):  # type: ignore[misc,name-defined]
    @pytest.fixture
    def make_spool(self, tmp_path: Path) -> Iterator[Callable[..., Any]]:
        yield from spools(f"sqlite:///{tmp_path}/spool.db")
