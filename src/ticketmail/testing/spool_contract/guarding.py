"""What guards a claim: fences, whose it is, evidence, counts; and what a dead worker leaves behind."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ticketmail.domain.events import MailSent
from ticketmail.domain.ids import event_id
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.delivering import Change, Completion, Want
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import (
    HOUR,
    MINUTE,
    SECOND,
    WORKER,
    ContractClock,
    claims,
    entry,
    state_of,
    taken,
    view_of,
)
from ticketmail.testing.spool_contract.leases import dies


async def one_claim(spool: Any, worker: Any, mail: Any) -> Any:
    """Hand ``mail`` over and claim it; its first claim."""
    spool.intake.accept([mail])
    (claimed,) = await worker.claim()
    return claims(claimed)[0]


class GuardContract:
    """What guards a claim: fences, whose it is, evidence, counts; and what a dead worker leaves behind."""

    async def test_nobody_else_can_begin_record_or_release_a_claim(self, spool: Any, work: Any) -> None:
        mail = entry()
        owner, thief = await work(), await work()
        claim = await one_claim(spool, owner, mail)
        assert await thief.deliveries.begin(thief.id, "a", [claim]) == [False]
        assert await thief.deliveries.record(thief.id, [Completion(claim, S.FAILED, outcome="refused")]) == [False]
        await thief.deliveries.release(thief.id, [claim])
        assert state_of(spool, mail) is S.CLAIMED
        assert await owner.deliveries.begin(owner.id, "a", [claim]) == [True]

    async def test_a_claim_that_was_given_back_is_worth_nothing(self, spool: Any, work: Any) -> None:
        mail = entry()
        worker = await work()
        old = await one_claim(spool, worker, mail)
        await worker.deliveries.release(worker.id, [old])
        (new,) = claims((await worker.claim())[0])
        assert new.fence > old.fence
        assert await worker.deliveries.begin(worker.id, "a", [old, new]) == [False, True]

    async def test_a_body_begins_once_and_is_not_given_back(self, spool: Any, work: Any) -> None:
        mail = entry()
        worker = await work()
        claim = await one_claim(spool, worker, mail)
        assert await worker.deliveries.begin(worker.id, "a", [claim]) == [True]
        assert await worker.deliveries.begin(worker.id, "a", [claim]) == [False]
        await worker.deliveries.release(worker.id, [claim])
        assert state_of(spool, mail) is S.SENDING

    async def test_a_claim_given_back_for_later_is_due_later(self, spool: Any, work: Any, clock: ContractClock) -> None:
        worker = await work()
        mail = entry()
        claim = await one_claim(spool, worker, mail)
        await worker.deliveries.release(worker.id, [claim], due_us=clock.at + HOUR)
        assert await worker.claim() == []
        clock.go(HOUR)
        assert len(await worker.claim()) == 1
        assert [row.kind for row in spool.reading.history(mail.submission_id)] == ["accepted"]

    async def test_a_late_250_proves_a_queued_or_claimed_delivery_sent(self, spool: Any, work: Any) -> None:
        for again in (False, True):
            mail = entry()
            worker = await work()
            old = await one_claim(spool, worker, mail)
            await worker.deliveries.release(worker.id, [old])
            newer = claims((await worker.claim())[0]) if again else []
            assert await worker.deliveries.record(worker.id, [taken(old)]) == [False]
            assert state_of(spool, mail) is S.SENT
            assert await worker.deliveries.begin(worker.id, "a", newer) == [False] * len(newer)

    async def test_a_late_250_leaves_a_body_that_is_on_its_way(self, spool: Any, work: Any) -> None:
        mail = entry()
        worker = await work()
        old = await one_claim(spool, worker, mail)
        await worker.deliveries.release(worker.id, [old])
        (new,) = claims((await worker.claim())[0])
        await worker.deliveries.begin(worker.id, "a", [new])
        assert await worker.deliveries.record(worker.id, [taken(old)]) == [False]
        assert state_of(spool, mail) is S.SENDING
        assert await worker.deliveries.record(worker.id, [taken(new)]) == [True]

    async def test_a_late_250_is_kept_but_does_not_undo_an_end(self, spool: Any, work: Any) -> None:
        mail = entry()
        worker = await work()
        claim = await one_claim(spool, worker, mail)
        spool.operating.cancel(Scope.parse(f"id:{mail.submission_id}"), actor="ann", reason="")
        assert await worker.deliveries.record(worker.id, [taken(claim)]) == [False]
        assert state_of(spool, mail) is S.CANCELLED
        assert [row.kind for row in spool.reading.history(mail.submission_id)][-1] == "evidence"

    async def test_attempts_count_what_spends_and_nothing_else(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        worker = await work()
        held = await one_claim(spool, worker, mail)
        await worker.deliveries.record(worker.id, [Completion(held, S.QUEUED, due_us=clock.at, cause="limit-rate")])
        assert (view_of(spool, mail).attempts, view_of(spool, mail).cause) == (0, "limit-rate")
        (claim,) = claims((await worker.claim())[0])
        deferred = Completion(claim, S.QUEUED, due_us=clock.at, spends=True, outcome="not-reached", account="a")
        await worker.deliveries.record(worker.id, [deferred])
        (again,) = (await worker.claim())[0].deliveries
        assert (again.attempts, again.fence, again.last_account) == (1, 3, "a")
        kinds = [row.kind for row in spool.reading.history(mail.submission_id)]
        assert kinds == ["accepted", "deferred", "attempt", "deferred"]

    async def test_an_attempt_is_one_row_that_its_outcome_completes(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        worker = await work()
        claim = await one_claim(spool, worker, mail)
        await worker.deliveries.begin(worker.id, "a", [claim])
        (running,) = [row for row in spool.reading.history(mail.submission_id) if row.kind == "attempt"]
        assert (running.state, running.account, running.fence, running.ended_us) == ("sending", "a", claim.fence, None)
        clock.go(SECOND)
        await worker.deliveries.record(worker.id, [taken(claim, ended_us=clock.at, remote_id="q1")])
        (done,) = [row for row in spool.reading.history(mail.submission_id) if row.kind == "attempt"]
        assert (done.at_us, done.outcome, done.reply, done.remote_id) == (running.at_us, "taken", "250 ok", "q1")
        assert (done.ended_us, view_of(spool, mail).ended_us) == (clock.at, clock.at)

    async def test_what_an_outcome_suppresses_comes_with_the_next_claim(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        worker = await work()
        claim = await one_claim(spool, worker, entry())
        gone = Suppression("ann@example.net", "unknown-recipient", "550 5.1.1", clock.at)
        await worker.deliveries.record(worker.id, [Completion(claim, S.FAILED, outcome="refused", suppress=gone)])
        assert spool.reading.suppressions("ann@example.net") == [gone]
        spool.intake.accept([entry()])
        assert (await worker.claim())[0].deliveries[0].suppression == gone

    async def test_an_event_is_told_once_however_often_it_is_written(self, spool: Any, work: Any) -> None:
        mail = entry()
        worker = await work()
        claim = await one_claim(spool, worker, mail)
        event = MailSent(
            event_id=event_id(mail.submission_id, 0, "sent", claim.fence),
            at_us=1,
            submission_id=mail.submission_id,
            recipient="x",
        )
        for _ in range(2):
            await worker.deliveries.record(worker.id, [taken(claim, events=(event,))])
        assert [item.event for item in spool.outbox.take(5, 60)] == [event]

    async def test_the_oldest_due_are_claimed_first(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mails = [entry(f"u{number}@example.net") for number in range(5)]
        for mail in mails:
            spool.intake.accept([mail])
            clock.go(SECOND)
        worker = await work()
        claimed = await worker.claim(Want("main", "reply", 3))
        assert [mail.submission_id for mail in claimed] == [mail.submission_id for mail in mails[:3]]

    async def test_recipients_go_together_unless_one_is_not_due(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry(recipients=("a@example.net", "b@example.net", "c@example.net"))
        spool.intake.accept([mail])
        worker = await work()
        first, *others = claims((await worker.claim(Want("main", "reply", 1)))[0])
        later = Completion(first, S.QUEUED, due_us=clock.at + MINUTE, spends=True, outcome="refused")
        await worker.deliveries.record(worker.id, [later])
        await worker.deliveries.release(worker.id, others)
        assert [one.number for one in (await worker.claim())[0].deliveries] == [1, 2]

    async def test_whoever_was_declared_dead_claims_nothing(self, spool: Any, work: Any, clock: ContractClock) -> None:
        """Nobody would ever take such leases back."""
        dead, other, gone = await work(), await work(), await work()
        await gone.workers.retire(gone.id)
        await dies(dead, clock)
        await other.workers.beat(other.id, {})
        await other.workers.reap()
        spool.intake.accept([entry()])
        for worker_id in (dead.id, gone.id):
            assert list(await other.deliveries.claim(worker_id, [Want("main", "reply", 5)])) == []
        assert len(await other.claim()) == 1

    async def test_a_retiring_worker_leaves_a_begun_body_unknown(self, spool: Any, work: Any) -> None:
        mail = entry()
        worker = await work()
        claim = await one_claim(spool, worker, mail)
        await worker.deliveries.begin(worker.id, "a", [claim])
        await worker.workers.retire(worker.id)
        assert state_of(spool, mail) is S.UNKNOWN
        assert [row.kind for row in spool.reading.history(mail.submission_id)] == ["accepted", "attempt", "unknown"]

    async def test_a_lease_lost_among_others_is_no_step_to_poison(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry("a@example.net"), entry("b@example.net")])
        for _ in range(4):
            worker = await work()
            assert len(await worker.claim()) == 2
            await dies(worker, clock)
            reaper = await work()
            await reaper.workers.reap()
            await reaper.workers.retire(reaper.id)
        found = [mail.deliveries[0] for mail in await (await work()).claim()]
        assert [(one.lost, one.lost_alone) for one in found] == [(4, 0), (4, 0)]

    async def test_a_dead_workers_250_still_proves_its_mail_sent(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        dead, other = await work(), await work()
        claim = await one_claim(spool, dead, mail)
        await dead.deliveries.begin(dead.id, "a", [claim])
        await dies(dead, clock)
        await other.workers.beat(other.id, {})
        await other.workers.reap()
        assert state_of(spool, mail) is S.UNKNOWN
        assert await other.deliveries.record(dead.id, [taken(claim)]) == [False]
        assert state_of(spool, mail) is S.SENT

    async def test_a_step_that_raises_leaves_its_document(self, spool: Any, work: Any) -> None:
        def broken(content: bytes | None, now_us: int) -> tuple[Change, None]:
            raise ArithmeticError("a fault of the step")

        worker = await work()
        await worker.book.change("account", "a", lambda content, now: (Change(b"1"), None))
        with pytest.raises(ArithmeticError):
            await worker.book.change("account", "a", broken)
        assert await worker.book.load("account") == {"a": b"1"}
        assert spool.reading.documents("account") == {"a": b"1"}

    def test_documents_are_changed_one_after_another_over_threads(self, spool: Any) -> None:
        def count(content: bytes | None, now_us: int) -> tuple[Change, int]:
            number = int(content or b"0") + 1
            return Change(str(number).encode()), number

        async def work() -> None:
            side = spool.worker_side()
            try:
                seen.extend([await side.book.change("account", "a", count) for _ in range(10)])
            finally:
                await side.aclose()

        seen: list[int] = []
        threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == list(range(1, 31))

    async def test_waiting_in_vain_ends_with_its_time(self, spool: Any, work: Any) -> None:
        worker = await work()
        while await worker.deliveries.wait(0.3):
            pass  # the echo of opening
        async with asyncio.timeout(5):
            assert await worker.deliveries.wait(0.05) is False

    async def test_a_worker_of_another_site_gets_no_row(self, spool: Any, make_spool: Any, clock: ContractClock) -> None:
        from ticketmail.domain.errors import SiteMismatch

        spool.intake.accept([entry()])
        side = make_spool(SpoolOptions(site="staging", clock=clock)).worker_side()
        with pytest.raises(SiteMismatch):
            await side.workers.register(WORKER)
        await side.aclose()
        assert spool.reading.workers() == []
