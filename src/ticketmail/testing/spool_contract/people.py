"""More acts of people: pauses that end, replays that count once, words of a human, accounts, sites, one screen."""

from __future__ import annotations

import threading
from typing import Any

from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.delivering import Change, Completion, LaneEnd, Retention
from ticketmail.domain.ports.reading import COUNTED_US, Pause
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.acts import ALL, DAY, end_all, event_of
from ticketmail.testing.spool_contract.kit import HOUR, MINUTE, SECOND, ContractClock, claims, entry, state_of, taken, view_of

_ACT = {"actor": "ann", "reason": "a test"}


def replay(spool: Any, state: S = S.DEAD, **more: Any) -> int:
    """All of a state, at once, for a day."""
    done: int = spool.operating.replay(ALL, states=[state], lifetime_us=DAY, pace_per_s=None, **{**_ACT, **more})
    return done


class PeopleContract:
    """More acts of people: pauses that end, replays that count once, words of a human, accounts, sites, one screen."""

    async def test_a_pause_ends_by_itself_and_is_lifted_once(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry()])
        spool.operating.pause(Pause(ALL, clock.at, clock.at + MINUTE, "why", "ann"))
        spool.operating.pause(Pause(Scope.parse("lane:bulk"), clock.at, None, "why", "ann"))
        worker = await work()
        assert await worker.claim() == []
        clock.go(MINUTE)
        assert len(await worker.claim()) == 1
        assert spool.operating.resume(Scope.parse("lane:bulk"), **_ACT)
        assert not spool.operating.resume(Scope.parse("lane:bulk"), **_ACT)

    async def test_what_is_due_earlier_is_counted_by_route_and_lane_up_to_a_limit(self, spool: Any, clock: ContractClock) -> None:
        mails = [entry(f"u{number}@example.net", not_before_us=clock.at + number) for number in range(4)]
        spool.intake.accept([*reversed(mails), entry(lane="bulk"), entry(route="other")])
        views = [view_of(spool, mail) for mail in mails]
        assert [spool.reading.earlier(view, limit=10) for view in views] == [0, 1, 2, 3]
        assert spool.reading.earlier(views[3], limit=2) == 2

    async def test_mails_due_at_once_are_counted_in_the_order_of_their_ids(self, spool: Any) -> None:
        mails = sorted((entry(f"u{number}@example.net") for number in range(4)), key=lambda mail: mail.submission_id)
        spool.intake.accept(mails)
        assert [spool.reading.earlier(view_of(spool, mail), limit=10) for mail in mails] == [0, 1, 2, 3]

    async def test_a_pause_by_cause_holds_what_failed_so_before(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry()])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        deferred = Completion(claim, S.QUEUED, due_us=clock.at, spends=True, outcome="refused", cause="greylisted")
        await worker.deliveries.record(worker.id, [deferred])
        spool.operating.pause(Pause(Scope.parse("cause:greylisted"), clock.at, None, "why", "ann"))
        assert await worker.claim() == []

    async def test_what_is_on_its_way_cannot_be_cancelled_but_an_unknown_can(self, spool: Any, work: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        await worker.deliveries.begin(worker.id, "a", [claim])
        assert spool.operating.cancel(ALL, **_ACT) == 0
        await worker.deliveries.record(worker.id, [Completion(claim, S.UNKNOWN, due_us=0, spends=True, outcome="unclear")])
        assert spool.operating.cancel(ALL, **_ACT) == 1
        assert state_of(spool, mail) is S.CANCELLED
        assert await worker.deliveries.unresolved(5) == []

    async def test_a_replay_is_done_once_and_lives_beyond_the_old_deadline(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        mail = entry(lifetime_us=HOUR)
        spool.intake.accept([mail])
        worker = await work()
        await end_all(spool, worker, S.DEAD)
        clock.go(2 * HOUR)
        assert (replay(spool), replay(spool)) == (1, 0)
        assert view_of(spool, mail).deadline_us == clock.at + DAY
        assert len(await worker.claim()) == 1
        assert [row.actor for row in spool.reading.history(mail.submission_id) if row.kind == "replayed"] == ["ann"]

    async def test_two_people_who_replay_at_once_replay_each_mail_once(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(f"u{number}@example.net") for number in range(30)])
        await end_all(spool, await work(), S.DEAD)
        done: list[int] = []
        threads = [threading.Thread(target=lambda: done.append(replay(spool))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(done) == 30

    async def test_a_replay_keeps_its_limit_and_never_sends_what_was_sent(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(f"u{number}@example.net") for number in range(3)])
        worker = await work()
        await end_all(spool, worker, S.FAILED)
        spool.intake.accept([entry("sent@example.net")])
        await end_all(spool, worker, S.SENT)
        assert replay(spool, S.FAILED, limit=2) == 2
        assert replay(spool, S.SENT) == 0
        assert spool.reading.overview().counts == {S.QUEUED: 2, S.FAILED: 1, S.SENT: 1}

    async def test_a_dismissed_dead_letter_is_marked_and_dismissed_once(self, spool: Any, work: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        await end_all(spool, await work(), S.DEAD)
        assert (spool.operating.dismiss(ALL, **_ACT), spool.operating.dismiss(ALL, **_ACT)) == (1, 0)
        assert view_of(spool, mail).dismissed

    async def test_a_human_has_an_unknown_sent_once_more_or_tells_the_host(self, spool: Any, work: Any) -> None:
        came, lost = entry("a@example.net"), entry("b@example.net")
        spool.intake.accept([came, lost])
        worker = await work()
        for mail in await worker.claim():
            (claim,) = claims(mail)
            await worker.deliveries.begin(worker.id, "a", [claim])
            await worker.deliveries.record(worker.id, [Completion(claim, S.UNKNOWN, spends=True, outcome="unclear")])
        assert spool.operating.settle(came.submission_id, 0, sent=True, **_ACT)
        assert spool.operating.settle(lost.submission_id, 0, sent=False, **_ACT)
        assert [(i.event.kind, i.event.recipient) for i in spool.outbox.take(5, 60)] == [("sent", "a@example.net")]
        assert [mail.submission_id for mail in await worker.claim()] == [lost.submission_id]
        last = spool.reading.history(lost.submission_id)[-1]
        assert (last.kind, last.state, last.actor) == ("resolved", "queued", "ann")

    async def test_a_lifted_suppression_is_gone(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.operating.suppress(Suppression("ann@example.net", "c", "e", clock.at), **_ACT)
        assert not spool.operating.unsuppress("ann@example.net", tenant="acme", **_ACT)
        assert spool.operating.unsuppress("ann@example.net", **_ACT)
        assert not spool.operating.unsuppress("ann@example.net", **_ACT)
        spool.intake.accept([entry()])
        assert (await (await work()).claim())[0].deliveries[0].suppression is None

    async def test_an_erasure_done_twice_reaches_nothing_more(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry()])
        await end_all(spool, await work(), S.DEAD)
        assert spool.operating.erase("ann@example.net", **_ACT).deliveries == 1
        again = spool.operating.erase("ann@example.net", **_ACT)
        assert (again.deliveries, again.bodies, again.events, again.suppressions) == (0, 0, 0, 0)

    async def test_an_erased_mail_is_not_sent(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry()])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        spool.operating.erase("ann@example.net", **_ACT)
        assert await worker.deliveries.begin(worker.id, "a", [claim]) == [False]

    async def test_retention_keeps_its_limit_and_events_not_taken(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mails = [entry(f"u{number}@example.net") for number in range(4)]
        spool.intake.accept(mails)
        worker = await work()
        for mail in await worker.claim():
            done = [taken(claim, events=(event_of(mails[0]),)) for claim in claims(mail)]
            await worker.deliveries.record(worker.id, done)
        spool.outbox.done(spool.outbox.take(3, 60))
        clock.go(40 * DAY)
        purged = await worker.upkeep.purge(Retention(), 2)
        assert (purged["bodies"], purged["events"]) == (2, 2)
        purged = await worker.upkeep.purge(Retention(), 100)
        assert (purged["bodies"], purged["events"]) == (2, 1)
        assert len(spool.outbox.take(5, 60)) == 1

    async def test_an_account_is_cleared_once_and_noted(self, spool: Any, work: Any) -> None:
        worker = await work()
        await worker.book.change("account", "support", lambda content, now: (Change(b"{}"), None))
        assert spool.operating.clear_account("support", **_ACT)
        assert not spool.operating.clear_account("support", **_ACT)
        assert spool.reading.documents("account") == {}
        assert [row.actor for row in spool.reading.log(since_us=0) if row.scope == "account:support"] == ["ann"]

    async def test_an_adopted_spool_is_held_for_review(
        self, spool: Any, work: Any, make_spool: Any, clock: ContractClock
    ) -> None:
        spool.intake.accept([entry(), entry("bob@example.net")])
        other = make_spool(SpoolOptions(site="staging", clock=clock))
        assert other.administering.check() != []
        assert other.administering.adopt("staging", hold=True, actor="ann", reason="restore of Monday") == 2
        assert other.reading.overview().site == "staging"
        [row] = [one for one in other.reading.log(since_us=0) if one.kind == "adopt"]
        assert (row.actor, row.reason.rpartition(". ")[2]) == ("ann", "restore of Monday")
        assert "'staging'" in row.reason
        side = other.worker_side()
        from ticketmail.domain.ports.delivering import Want, WorkerInfo

        worker = await side.workers.register(WorkerInfo("host", 1, "1.0", "staging"))
        assert list(await side.deliveries.claim(worker.worker_id, [Want("main", "reply", 5)])) == []
        assert [str(pause.scope) for pause in other.reading.pauses()] == ["all"]
        await side.aclose()
        other.close()

    def test_token_keys_stay_as_they_are(self, spool: Any) -> None:
        keys = list(spool.administering.secrets())
        assert [len(key) >= 16 for key in keys] == [True]
        assert list(spool.administering.secrets()) == keys

    async def test_one_screen_counts_what_waits_and_what_went(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry(), entry("b@example.net", lane="bulk", not_before_us=clock.at + HOUR)])
        accepted_us = clock.at
        clock.go(SECOND)
        spool.intake.accept([entry("c@example.net", lane="bulk")])
        screen = spool.reading.overview()
        loads = {load.lane: (load.route, load.queued, load.due, load.oldest_due_us) for load in screen.lanes}
        assert loads == {"reply": ("main", 1, 1, accepted_us), "bulk": ("main", 2, 1, clock.at)}
        assert (screen.site, screen.now_us, screen.last_sent_us) == ("desk", clock.at, None)
        worker = await work()
        mails = await worker.claim()
        await worker.deliveries.record(worker.id, [taken(c, events=(event_of(entry()),)) for m in mails for c in claims(m)])
        screen = spool.reading.overview()
        assert (screen.last_sent_us, screen.events_waiting, screen.oldest_event_us) == (clock.at, 1, clock.at)

    async def test_one_screen_counts_what_was_settled_within_a_day(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry(), entry("b@example.net"), entry("c@example.net", lane="bulk")])
        worker = await work()
        sent, dead = [claim for mail in await worker.claim() for claim in claims(mail)]
        await worker.deliveries.record(
            worker.id, [taken(sent), Completion(dead, S.DEAD, spends=True, outcome="refused", cause="auth")]
        )
        at_us = clock.at
        clock.go(COUNTED_US - 1)
        assert spool.reading.overview().counts == {S.SENT: 1, S.DEAD: 1, S.QUEUED: 1}
        clock.go(1)
        screen = spool.reading.overview()
        assert (screen.counts, screen.last_sent_us) == ({S.DEAD: 1, S.QUEUED: 1}, at_us)

    def test_find_narrows_by_state_time_and_number(self, spool: Any, clock: ContractClock) -> None:
        old = entry()
        spool.intake.accept([old])
        clock.go(SECOND)
        spool.intake.accept([entry("b@example.net"), entry("c@example.net")])
        spool.operating.cancel(Scope.parse("to:ann@example.net"), **_ACT)
        assert [view.submission_id for view in spool.reading.find(ALL, states=[S.CANCELLED])] == [old.submission_id]
        assert len(spool.reading.find(ALL, since_us=clock.at)) == 2
        assert len(spool.reading.find(ALL, limit=1)) == 1

    async def test_housekeeping_keeps_its_limits(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry(f"u{number}@example.net", lifetime_us=2 * HOUR) for number in range(5)])
        clock.go(HOUR)
        worker = await work()
        assert await worker.upkeep.reroute(lambda sender: "elsewhere", 2) == 2
        assert await worker.upkeep.tell_delayed(HOUR, 3) == 3
        clock.go(2 * HOUR)
        ends = [LaneEnd("reply", S.DEAD)]
        assert [await worker.upkeep.expire(ends, 4), await worker.upkeep.expire(ends, 4)] == [4, 1]

    async def test_a_delay_is_told_with_its_end(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry()])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        due_us = clock.at + 3 * HOUR
        await worker.deliveries.record(worker.id, [Completion(claim, S.QUEUED, due_us=due_us, spends=True, outcome="refused")])
        clock.go(HOUR)
        assert await worker.upkeep.tell_delayed(HOUR, 5) == 1
        (item,) = spool.outbox.take(5, 60)
        assert (item.event.kind, item.event.eta_us) == ("delayed", due_us)

    async def test_dead_events_are_listed_with_their_error_the_last_first(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        mail = entry(ticket="7")
        first, second = event_of(mail), event_of(mail)
        spool.intake.accept([mail])
        await end_all(spool, await work(), S.FAILED, events=(first, second))
        assert spool.outbox.dead(5) == []
        items = spool.outbox.take(2, 60)
        spool.outbox.failed(items[0], "KeyError: 'queue'", None)
        assert [one.event for one in spool.outbox.dead(5)] == [first]
        clock.go(SECOND)
        spool.outbox.failed(items[1], "boom", None)
        last, before = spool.outbox.dead(5)
        assert (last.event, last.attempts, last.error, last.dead_us) == (second, 1, "boom", clock.at)
        assert (before.event, before.error, before.dead_us) == (first, "KeyError: 'queue'", clock.at - SECOND)
        assert spool.outbox.dead(1) == [last]
        assert spool.outbox.replay([second.event_id]) == 1
        assert spool.outbox.dead(5) == [before]

    async def test_only_named_dead_events_are_told_again(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        first, second = event_of(mail), event_of(mail)
        spool.intake.accept([mail])
        await end_all(spool, await work(), S.FAILED, events=(first, second))
        items = spool.outbox.take(1, 60)
        assert [item.event for item in items] == [first]  # the oldest first
        items = [*items, *spool.outbox.take(5, 60)]
        for item in items:
            spool.outbox.failed(item, "boom", None)
        spool.outbox.failed(items[0], "stale", 1)
        assert spool.reading.overview().events_dead == 2
        assert spool.outbox.replay([second.event_id]) == 1
        assert [item.event for item in spool.outbox.take(5, 60)] == [second]
