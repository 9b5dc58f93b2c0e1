"""The wall's clock jumps: the worker pauses for a beat, goes by the new time, and says so."""

from __future__ import annotations

import asyncio

import pytest

from app.worker.scene import Told
from ticketmail import Message
from ticketmail.app.worker import Worker
from ticketmail.testing.sandbox import Sandbox, memory
from ticketmail.testing.virtual_time import run_virtual


async def arrivals(tm: Sandbox, jump_s: float) -> tuple[Worker, list[float]]:
    """A worker at work; the clock jumps in the middle of a beat; mails are handed over second by second. When they arrived,
    in seconds after the jump."""
    worker = tm.worker()
    running = asyncio.ensure_future(worker.run())
    await asyncio.sleep(7.5)
    tm.clock.jump(jump_s)
    jumped_s, found = tm.clock.monotonic_s(), list[float]()
    await asyncio.sleep(2.6)  # the beat at 10 s has seen it
    for _ in range(20):
        before = len(tm.arrived)
        tm.mail.submit(Message(sender="help@example.com", to="ann@example.net", subject="-", text="-"))
        await asyncio.sleep(1.0)
        found += [tm.clock.monotonic_s() - jumped_s] * (len(tm.arrived) - before)
    worker.drain()
    await running
    return worker, found


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 31.0])
def test_a_jump_pauses_for_a_beat_is_followed_and_told_once(jump_s: float) -> None:
    told = Told()
    with memory(alert_sinks=[told]) as tm:
        worker, found = run_virtual(arrivals(tm, jump_s), clock=tm.clock)

        assert len(found) == 20
        assert min(found) > 7.5  # nothing between the beat that saw it, at 2.5 s, and the next one
        assert max(found) < 24
        assert [(alert.title, alert.level) for alert in told.alerts] == [("The clock jumped", "warn")]
        assert abs(worker._clock.now_us() - tm.clock.now_us()) < 1_000_000


def test_a_small_correction_pauses_nothing() -> None:
    told = Told()
    with memory(alert_sinks=[told]) as tm:
        _, found = run_virtual(arrivals(tm, 29.0), clock=tm.clock)

        assert min(found) < 4
        assert told.alerts == []
