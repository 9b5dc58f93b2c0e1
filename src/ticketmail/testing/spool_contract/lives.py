"""The life of a delivery: claims, outcomes, order, evidence."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ticketmail.domain.errors import KeyReused
from ticketmail.domain.events import MailSent
from ticketmail.domain.ids import event_id
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.delivering import Completion, Resolution, Want
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import (
    ALL_MAIL,
    HOUR,
    MINUTE,
    SECOND,
    ContractClock,
    claims,
    entry,
    state_of,
    taken,
)


class LifeContract:
    """The life of a delivery: claims, outcomes, order, evidence."""

    async def test_a_mail_is_claimed_begun_and_sent_with_its_history(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry(recipients=("Ann@Example.net", "bob@example.net"), ticket="4711", key="k")
        assert spool.intake.accept([mail])[0].new
        worker = await work()
        (claimed,) = await worker.claim()
        assert claimed.body == b"body"
        assert [d.recipient for d in claimed.deliveries] == ["Ann@Example.net", "bob@example.net"]
        assert await worker.deliveries.begin(worker.id, "a", claims(claimed)) == [True, True]
        assert await worker.deliveries.record(worker.id, [taken(c) for c in claims(claimed)]) == [True, True]
        assert [row.kind for row in spool.reading.history(mail.submission_id, 0)] == ["accepted", "attempt", "sent"]
        assert spool.reading.overview().counts == {S.SENT: 2}
        assert await worker.claim() == []

    async def test_the_same_id_is_stored_once_and_other_content_is_refused(self, spool: Any, clock: ContractClock) -> None:
        mail = entry(key="k")
        first, again, other = spool.intake.accept([mail, mail, entry(submission_id=mail.submission_id, fingerprint=b"x" * 32)])
        assert (first.new, again.new) == (True, False)
        assert isinstance(other, KeyReused)
        clock.go(SECOND)
        assert spool.intake.accept([mail])[0].accepted_us == first.accepted_us

    async def test_a_stale_fence_changes_nothing_but_a_250_proves_an_unknown_sent(self, spool: Any, work: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        worker = await work()
        (claimed,) = await worker.claim()
        (claim,) = claims(claimed)
        await worker.deliveries.begin(worker.id, "a", [claim])
        await worker.deliveries.record(worker.id, [Completion(claim, S.UNKNOWN, due_us=0, spends=True, outcome="unclear")])
        event = MailSent(
            event_id=event_id(mail.submission_id, 0, "sent", claim.fence),
            at_us=1,
            submission_id=mail.submission_id,
            recipient="x",
        )
        assert await worker.deliveries.record(worker.id, [taken(claim, events=(event,))]) == [False]
        assert state_of(spool, mail) is S.SENT
        assert "evidence" in [row.kind for row in spool.reading.history(mail.submission_id)]
        assert [item.event for item in spool.outbox.take(10, 60)] == [event]

    async def test_evidence_that_is_no_proof_leaves_the_state(self, spool: Any, work: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        await worker.deliveries.release(worker.id, [claim])
        refused = Completion(claim, S.FAILED, outcome="refused", reply="550 no")
        assert await worker.deliveries.record(worker.id, [refused]) == [False]
        assert state_of(spool, mail) is S.QUEUED

    async def test_begin_is_refused_after_a_cancel(self, spool: Any, work: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        assert spool.operating.cancel(Scope.parse(f"id:{mail.submission_id}"), actor="ann", reason="merged") == 1
        assert await worker.deliveries.begin(worker.id, "a", [claim]) == [False]
        assert spool.outbox.take(5, 60)[0].event.kind == "cancelled"

    async def test_the_second_mail_of_a_ticket_waits_for_the_first_attempt_of_the_first(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        first, second, third = (entry(ticket="7") for _ in range(3))
        spool.intake.accept([first])
        clock.go(SECOND)
        spool.intake.accept([second, third])
        worker = await work()
        (claimed,) = await worker.claim()
        assert claimed.submission_id == first.submission_id
        (claim,) = claims(claimed)
        held = Completion(claim, S.QUEUED, due_us=clock.at + HOUR)
        await worker.deliveries.record(worker.id, [held])
        assert await worker.claim() == []  # a hold is no attempt
        clock.go(9 * MINUTE)
        assert await worker.claim() == []
        clock.go(2 * MINUTE)
        assert {m.submission_id for m in await worker.claim()} == {
            second.submission_id,
            third.submission_id,
        }  # order_wait is over

    async def test_a_deferred_first_attempt_frees_the_next(self, spool: Any, work: Any, clock: ContractClock) -> None:
        first, second = entry(ticket="7"), entry(ticket="7")
        spool.intake.accept([first, second])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        assert spool.reading.find(Scope.parse(f"id:{second.submission_id}"))[0].behind == (first.submission_id, 0)
        await worker.deliveries.begin(worker.id, "a", [claim])
        deferred = Completion(claim, S.QUEUED, due_us=clock.at + HOUR, spends=True, outcome="refused", reply="451 later")
        await worker.deliveries.record(worker.id, [deferred])
        (claimed,) = await worker.claim()
        assert claimed.submission_id == second.submission_id

    async def test_a_mail_waits_behind_the_last_of_a_batch_whatever_its_ids(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        """A batch shares its time of acceptance, and ids made of keys have no order."""
        first, second = entry(ticket="7", submission_id=UUID(int=9)), entry(ticket="7", submission_id=UUID(int=1))
        spool.intake.accept([first, second])
        third = entry(ticket="7", submission_id=UUID(int=5))
        spool.intake.accept([third])
        assert spool.reading.find(Scope.parse(f"id:{third.submission_id}"))[0].behind == (second.submission_id, 0)
        higher = entry(ticket="7", lane_weight=50)
        spool.intake.accept([higher])
        last = entry(ticket="7")
        spool.intake.accept([last])
        assert spool.reading.find(Scope.parse(f"id:{last.submission_id}"))[0].behind == (third.submission_id, 0)

    async def test_a_mail_waits_for_all_that_go_before_it_whatever_their_lanes(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        """The urgent one waits for nobody lower, the last waits for all; each may be slow (invariant 8)."""
        first, urgent, second, last = (
            entry(ticket="7", route=route, lane=lane, lane_weight=weight)
            for route, lane, weight in (
                ("main", "reply", 10),
                ("slow", "code", 50),
                ("main", "reply", 10),
                ("main", "bulk", 1),
            )
        )
        spool.intake.accept([first, urgent, second, last])
        worker = await work()
        for expected, want in (
            (first, ALL_MAIL),
            (urgent, Want("slow", "code", 9)),
            (second, ALL_MAIL),
            (last, Want("main", "bulk", 9)),
        ):
            (mail,) = await worker.claim(want)
            assert mail.submission_id == expected.submission_id
            assert await worker.claim(ALL_MAIL, Want("main", "bulk", 9)) == []
            await worker.deliveries.begin(worker.id, "a", claims(mail))
            await worker.deliveries.record(worker.id, [taken(claims(mail)[0])])
            clock.go(SECOND)

    async def test_other_tickets_recipients_and_higher_lanes_do_not_wait(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(ticket="7")])
        spool.intake.accept([entry(ticket="8"), entry("bob@example.net", ticket="7"), entry(ticket="7", lane_weight=50)])
        worker = await work()
        assert len(await worker.claim()) == 4

    async def test_a_superseded_mail_is_not_sent_and_is_told(self, spool: Any, work: Any) -> None:
        old = entry(ticket="7")
        spool.intake.accept([old])
        new = entry(ticket="7", supersedes=old.submission_id)
        spool.intake.accept([new])
        worker = await work()
        assert [m.submission_id for m in await worker.claim()] == [new.submission_id]
        assert state_of(spool, old) is S.SUPERSEDED

    async def test_pauses_hold_what_they_name(self, spool: Any, work: Any, clock: ContractClock) -> None:
        from ticketmail.domain.ports.reading import Pause

        mail = entry(tenant="acme", ticket="7")
        spool.intake.accept([mail])
        worker = await work()
        for text in (
            *("all", "lane:reply", "tenant:acme", "ticket:7", "to:ann@example.net", "domain:example.net"),
            f"id:{mail.submission_id}",
        ):
            spool.operating.pause(Pause(Scope.parse(text), clock.at, clock.at + HOUR, "why", "ann"))
            assert await worker.claim() == [], text
            assert spool.operating.resume(Scope.parse(text), actor="ann", reason="over")
        spool.operating.pause(Pause(Scope.parse("tenant:other"), clock.at, None, "why", "ann"))
        assert len(await worker.claim()) == 1

    async def test_a_suppression_of_the_tenant_or_of_all_comes_with_the_claim(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        theirs = Suppression("ann@example.net", "unknown-recipient", "550", clock.at, None, "acme")
        old = Suppression("bob@example.net", "unknown-recipient", "550", clock.at, clock.at + 1)
        for suppression in (theirs, old):
            spool.operating.suppress(suppression, actor="ann", reason="")
        clock.go(SECOND)
        spool.intake.accept([entry(tenant="acme"), entry(tenant="other"), entry("bob@example.net")])
        worker = await work()
        found = {m.tenant: m.deliveries[0].suppression for m in await worker.claim() if m.tenant}
        assert found == {"acme": theirs, "other": None}

    async def test_a_past_deadline_is_not_claimed_but_expired(self, spool: Any, work: Any, clock: ContractClock) -> None:
        from ticketmail.domain.ports.delivering import LaneEnd

        spool.intake.accept([entry(lifetime_us=MINUTE), entry(lane="bulk", lifetime_us=MINUTE)])
        clock.go(2 * MINUTE)
        worker = await work()
        assert await worker.claim(ALL_MAIL, Want("main", "bulk", 5)) == []
        assert await worker.upkeep.expire([LaneEnd("bulk", S.EXPIRED)], 10) == 2
        assert spool.reading.overview().counts == {S.DEAD: 1, S.EXPIRED: 1}
        assert sorted(item.event.kind for item in spool.outbox.take(5, 60)) == ["dead", "expired"]

    async def test_a_delay_is_told_once(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry()])
        clock.go(2 * HOUR)
        worker = await work()
        assert await worker.upkeep.tell_delayed(HOUR, 10) == 1
        assert await worker.upkeep.tell_delayed(HOUR, 10) == 0

    async def test_an_unknown_is_looked_at_when_due_and_resolved(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        spool.intake.accept([mail])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        began_us = clock.at
        await worker.deliveries.begin(worker.id, "a", [claim])
        clock.go(SECOND)
        unknown = Completion(claim, S.UNKNOWN, due_us=clock.at + MINUTE, spends=True, account="a", outcome="unclear")
        await worker.deliveries.record(worker.id, [unknown])
        assert await worker.deliveries.unresolved(5) == []
        clock.go(MINUTE)
        (found,) = await worker.deliveries.unresolved(5)
        assert (found.account, found.unknown_since_us, found.checks) == ("a", began_us, 0)
        again = Resolution(claim, S.UNKNOWN, due_us=clock.at)
        assert await worker.deliveries.resolve([again]) == [True]
        assert (await worker.deliveries.unresolved(5))[0].checks == 1
        assert await worker.deliveries.resolve([Resolution(claim, S.SENT, reason="seen in Sent")]) == [True]
        assert await worker.deliveries.resolve([Resolution(claim, S.QUEUED, due_us=0)]) == [False]

    async def test_routes_lists_only_pairs_with_queued_mail(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(), entry(lane="bulk"), entry(route="other", lane="zz"), entry(route="other", lane="aa")])
        worker = await work()
        pairs = [("main", "bulk"), ("main", "reply"), ("other", "aa"), ("other", "zz")]
        assert await worker.deliveries.routes() == pairs
        await worker.claim()
        assert await worker.deliveries.routes() == [pair for pair in pairs if pair != ("main", "reply")]

    async def test_reroute_moves_what_is_queued(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(), entry(sender="sales@example.com")])
        worker = await work()
        moved = await worker.upkeep.reroute(lambda sender: "sales" if sender.startswith("sales") else "main", 10)
        assert moved == 1
        (mail,) = await worker.claim(Want("sales", "reply", 5))
        assert (mail.sender, mail.route) == ("sales@example.com", "sales")

    async def test_a_want_claims_no_more_mails_than_its_limit(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(f"u{i}@example.net") for i in range(20)])
        worker = await work()
        assert len(await worker.claim(Want("main", "reply", 7))) == 7

    async def test_two_workers_never_get_the_same_mail(self, spool: Any, work: Any) -> None:
        import asyncio

        spool.intake.accept([entry(f"u{i}@example.net") for i in range(60)])
        one, two = await work(), await work()
        rounds = await asyncio.gather(*(w.claim(Want("main", "reply", 10)) for w in (one, two) * 3))
        while left := await one.claim(Want("main", "reply", 10)):  # what one was just looking at, another may have passed over
            rounds.append(left)
        ids = [mail.submission_id for got in rounds for mail in got]
        assert len(ids) == len(set(ids)) == 60

    async def test_what_a_server_says_with_nul_or_lone_surrogates_is_recorded(self, spool: Any, work: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        worker = await work()
        (claim,) = claims((await worker.claim())[0])
        odd = Completion(claim, S.FAILED, spends=True, outcome="refused", reply="550 \0 \udcff no", reason="\udc80")
        assert await worker.deliveries.record(worker.id, [odd]) == [True]
