"""A database keeps the shipped contract of stores for large content that host and mail service share."""

from __future__ import annotations

from pathlib import Path

import pytest
from sql_support import HandClock

from ticketmail.adapters.sql.road import create_blobs
from ticketmail.domain.errors import BlobStoreError
from ticketmail.testing.shared_blobs_contract import Age, MakeStore, SharedBlobsContract


class _WithClock(SharedBlobsContract):
    @pytest.fixture
    def age(self, clock: HandClock) -> Age:
        return lambda seconds: clock.go(int(seconds * 1_000_000))


class TestSqlite(_WithClock):
    @pytest.fixture
    def make_store(self, tmp_path: Path, clock: HandClock) -> MakeStore:
        return lambda: create_blobs(f"sqlite:///{tmp_path}/shared.db", clock)


class TestPostgresql(_WithClock):
    @pytest.fixture
    def make_store(self, postgresql_url: str, clock: HandClock) -> MakeStore:
        return lambda: create_blobs(postgresql_url, clock)


@pytest.mark.mariadb
class TestMariadb(_WithClock):
    @pytest.fixture
    def make_store(self, mariadb_url: str, clock: HandClock) -> MakeStore:
        return lambda: create_blobs(mariadb_url, clock)


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(BlobStoreError, match="nowhere"):
        create_blobs(f"sqlite:///{tmp_path}/nowhere/shared.db").put("", b"x")
