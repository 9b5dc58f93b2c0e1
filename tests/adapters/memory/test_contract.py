"""The spool in memory keeps the shipped contract."""

from __future__ import annotations

import uuid

import pytest

from ticketmail.adapters.memory import create
from ticketmail.testing.spool_contract import MakeSpool, SpoolContract


class TestMemorySpool(SpoolContract):
    @pytest.fixture
    def make_spool(self) -> MakeSpool:
        url = f"memory://{uuid.uuid4()}"
        return lambda options: create(url, options)
