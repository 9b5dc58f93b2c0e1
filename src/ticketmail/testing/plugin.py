"""Fixtures for hosts and authors of adapters. Not loaded by itself::

pytest_plugins = ["ticketmail.testing.plugin"]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ticketmail.testing.clock import FakeClock

if TYPE_CHECKING:
    from ticketmail.testing.sandbox import Sandbox


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that goes on when the test says so: ``advance(seconds)``, ``jump(seconds)``."""
    return FakeClock()


@pytest.fixture
def ticketmail_memory() -> Iterator[Sandbox]:
    """A whole ticketmail in memory: ``.mail`` is what the host embeds, ``.run_until_idle()`` runs a worker, ``.sent`` tells."""
    from ticketmail.testing.sandbox import memory

    with memory() as sandbox:
        yield sandbox
