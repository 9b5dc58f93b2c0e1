"""Virtual time: hours pass at once, in order, and whoever waits for ever is told."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from ticketmail.adapters.memory import create
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.spool_contract.kit import entry
from ticketmail.testing.virtual_time import StuckInTime, run_virtual


def test_sleepers_wake_in_order_and_no_real_time_passes() -> None:
    clock, woken = FakeClock(now_us=0), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, clock.monotonic_s()))

    async def main() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (7200.5, 0.001, 3600)))

    run_virtual(asyncio.wait_for(main(), 100_000), clock=clock)

    assert [seconds for seconds, _ in woken] == [0.001, 3600, 7200.5]
    assert all(at == pytest.approx(seconds, abs=1e-5) for seconds, at in woken)
    assert clock.now_us() == pytest.approx(7_200_500_000, abs=10)


def test_a_timeout_is_kept_in_virtual_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(86_400), 3600)

    clock = FakeClock()
    run_virtual(main(), clock=clock)
    assert clock.monotonic_s() == pytest.approx(3600, abs=1e-3)


def test_time_stands_still_while_a_thread_works() -> None:
    """Else a time-out of an hour would be over before the thread had begun."""

    def work() -> str:
        time.sleep(0.05)
        return "done"

    async def main() -> str:
        return await asyncio.wait_for(asyncio.to_thread(work), 3600)

    clock = FakeClock()
    assert run_virtual(main(), clock=clock) == "done"
    assert clock.monotonic_s() == 0


def test_tasks_that_wait_for_ever_are_said_to_be_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketmail.testing.virtual_time._PATIENCE_S", 0.01)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckInTime, match="no timer"):
        run_virtual(main(), clock=FakeClock())


def test_both_ends_of_a_socket_may_live_in_the_loop() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(25)  # a slow server
        writer.write((await reader.readline()).upper())
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            answer = await asyncio.wait_for(reader.readline(), 300)
            writer.close()
            return answer

    clock = FakeClock()
    assert run_virtual(main(), clock=clock) == b"HELLO\n"
    assert clock.monotonic_s() == pytest.approx(25, abs=1e-3)


def test_a_spools_waiter_wakes_by_mail_or_by_virtual_time() -> None:
    clock = FakeClock()
    spool = create(f"memory://{uuid.uuid4()}", SpoolOptions(clock=clock))

    async def main() -> list[bool]:
        deliveries = spool.worker_side().deliveries
        silent = await deliveries.wait(7200)
        asyncio.get_running_loop().call_later(600, lambda: spool.intake.accept([entry()]))
        return [silent, await deliveries.wait(7200)]

    assert run_virtual(main(), clock=clock) == [False, True]
    assert clock.monotonic_s() == pytest.approx(7800, abs=1e-3)
