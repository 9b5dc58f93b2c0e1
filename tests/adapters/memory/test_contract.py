"""The shipped contract of all spools, kept in memory."""

from __future__ import annotations

import uuid

import pytest

from ticketmail.adapters.memory import create
from ticketmail.testing.spool_contract import MakeSpool, SpoolContract


class TestMemorySpool(SpoolContract):
    @pytest.fixture
    def make_spool(self) -> MakeSpool:
        url = f"memory://{uuid.uuid4().hex}"
        return lambda options: create(url, options)
