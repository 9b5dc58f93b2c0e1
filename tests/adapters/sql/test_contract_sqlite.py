"""The shipped contract of all spools, kept on Sqlite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sql_support import spools

from ticketmail.testing.spool_contract import SpoolContract


class TestSqliteSpool(SpoolContract):
    @pytest.fixture
    def make_spool(self, tmp_path: Path) -> Iterator[Callable[..., Any]]:
        yield from spools(f"sqlite:///{tmp_path}/spool.db")
