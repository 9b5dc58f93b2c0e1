"""Waiting on a clock that a test moves: nobody hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ticketmail.adapters.memory import create
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spool(clock: FakeClock) -> SpoolAdapter:
    return create("memory://", SpoolOptions(clock=clock))


async def test_a_workers_hour_is_over_when_the_clock_says_so(spool: SpoolAdapter, clock: FakeClock) -> None:
    waiting = asyncio.ensure_future(spool.worker_side().deliveries.wait(3600))
    await asyncio.sleep(0)
    clock.advance(3600)
    assert await asyncio.wait_for(waiting, 5) is False


def test_a_listeners_hour_is_over_when_the_clock_says_so(spool: SpoolAdapter, clock: FakeClock) -> None:
    heard: list[bool] = []
    listener = threading.Thread(target=lambda: heard.append(spool.outbox.wait(3600)), daemon=True)
    listener.start()
    while listener.is_alive():  # it may not have looked at the clock yet
        clock.advance(3600)
        listener.join(0.05)
    assert heard == [False]
