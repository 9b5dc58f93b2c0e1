"""Workers: beats, reaping by phase, poison, retiring; the book; waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.ports.delivering import Change
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import SECOND, ContractClock, claims, entry


async def dies(worker: Any, clock: ContractClock) -> None:
    """Its lock is let go (SQLite), its beat gets old (servers)."""
    await worker.side.aclose()
    clock.go(31 * SECOND)


class LeaseContract:
    """Workers: beats, reaping by phase, poison, retiring; the book; waiting."""

    async def test_a_beat_keeps_a_worker_alive(self, spool: Any, work: Any, clock: ContractClock) -> None:
        worker = await work()
        clock.go(29 * SECOND)
        assert (await worker.workers.beat(worker.id, {"sent": 3})).alive
        clock.go(29 * SECOND)
        assert await (await work()).workers.reap() == []
        view = spool.reading.workers()[0]
        assert (view.alive, view.stats) == (True, {"sent": 3})

    async def test_a_dead_workers_leases_are_taken_back_by_phase(self, spool: Any, work: Any, clock: ContractClock) -> None:
        claimed, sending = entry("a@example.net"), entry("b@example.net")
        spool.intake.accept([claimed, sending])
        dead, other = await work(), await work()
        mails = {m.submission_id: m for m in await dead.claim()}
        (claim,) = claims(mails[sending.submission_id])
        (other_claim,) = claims(mails[claimed.submission_id])
        await dead.deliveries.begin(dead.id, "a", [claim])
        await dies(dead, clock)
        await other.workers.beat(other.id, {})
        (reaped,) = await other.workers.reap()
        assert (reaped.worker_id, reaped.requeued, reaped.unknown, reaped.dead) == (dead.id, 1, 1, 0)
        assert await other.workers.reap() == []
        assert spool.reading.overview().counts == {S.QUEUED: 1, S.UNKNOWN: 1}
        (unresolved,) = await other.deliveries.unresolved(5)
        assert (unresolved.account, unresolved.mail.deliveries[0].lost) == ("a", 1)
        kinds = [row.kind for row in spool.reading.history(sending.submission_id)]
        assert kinds == ["accepted", "attempt", "lease-lost"]
        assert not (await other.workers.beat(dead.id, {})).alive
        assert await other.deliveries.begin(dead.id, "a", [other_claim]) == [False]

    async def test_the_third_lease_lost_alone_is_poison(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        spool.intake.accept([mail])
        for _ in range(3):
            worker = await work()
            assert len(await worker.claim()) == 1
            await dies(worker, clock)
            reaper = await work()
            (reaped,) = await reaper.workers.reap()
            await reaper.workers.retire(reaper.id)
        assert reaped.dead == 1
        (view,) = spool.reading.find(Scope.parse("cause:poison"))
        assert view.state is S.DEAD
        assert [item.event.kind for item in spool.outbox.take(5, 60)] == ["dead"]

    async def test_retiring_gives_back_what_was_claimed(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry()])
        worker = await work()
        await worker.claim()
        await worker.workers.retire(worker.id)
        assert spool.reading.overview().counts == {S.QUEUED: 1}
        assert spool.reading.workers()[0].retired_us is not None

    async def test_documents_are_changed_one_after_another(self, spool: Any, work: Any) -> None:
        def count(content: bytes | None, now_us: int) -> tuple[Change, int]:
            number = int(content or b"0") + 1
            return Change(str(number).encode(), note=f"now {number}", scope="account:a"), number

        workers = [await work(), await work()]
        results = await asyncio.gather(*(w.book.change("account", "a", count) for w in workers for _ in range(20)))
        assert sorted(results) == list(range(1, 41))
        assert await workers[0].book.load("account") == {"a": b"40"}
        assert len([row for row in spool.reading.log(since_us=0) if row.scope == "account:a"]) == 40

    async def test_a_document_can_be_left_or_deleted(self, spool: Any, work: Any) -> None:
        worker = await work()
        assert await worker.book.change("alert", "x", lambda content, now: (None, content)) is None
        await worker.book.change("alert", "x", lambda content, now: (Change(b"1"), None))
        assert await worker.book.change("alert", "x", lambda content, now: (Change(None), content)) == b"1"
        assert await worker.book.load("alert") == {}

    async def test_waiting_ends_when_this_process_hands_over(self, spool: Any, work: Any) -> None:
        worker = await work()
        while await worker.deliveries.wait(0.3):
            pass  # the echo of opening
        waiting = asyncio.ensure_future(worker.deliveries.wait(20))
        await asyncio.sleep(0)
        await asyncio.to_thread(spool.intake.accept, [entry()])
        began = time.monotonic()
        assert await waiting is True
        assert time.monotonic() - began < 5
