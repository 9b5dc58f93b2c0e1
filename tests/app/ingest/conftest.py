"""A host with one mailbox, on a spool in memory and on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ingest.world import Host


@pytest.fixture(params=["memory", "sqlite"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/spool.db"


@pytest.fixture
def host(spool: str) -> Iterator[Host]:
    made = Host(spool)
    yield made
    made.mail.close()
