"""Whose turn it is: tenants one after the other, each one's oldest first, whatever each has waiting."""

from __future__ import annotations

from typing import Any

from ticketmail.domain.ports.delivering import Want
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import HOUR, SECOND, ContractClock, claims, entry, taken, view_of

_MANY = 150  #: tenants: more than any adapter needs to look at in one claim


class TurnContract:
    """Whose turn it is."""

    async def test_tenants_take_turns_whatever_each_has_waiting(self, spool: Any, work: Any, clock: ContractClock) -> None:
        _hand_over(spool, clock, *["flood"] * 6, "acme", "globex", "acme")
        worker = await work()
        first = [mail.tenant for mail in await worker.claim(Want("main", "reply", 4))]
        second = [mail.tenant for mail in await worker.claim(Want("main", "reply", 4))]
        assert first == ["acme", "flood", "globex", "acme"]
        assert second == ["flood"] * 4

    async def test_the_next_claim_goes_on_behind_the_tenant_that_was_served_last(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        _hand_over(spool, clock, *["a"] * 4, *["b"] * 2, *["c"] * 2)
        worker = await work()
        served = [(await worker.claim(Want("main", "reply", 1)))[0].tenant for _ in range(7)]
        assert served == ["a", "b", "c", "a", "b", "c", "a"]

    async def test_lanes_and_routes_have_turns_of_their_own(self, spool: Any, work: Any) -> None:
        mails = [entry(tenant=tenant, lane=lane) for tenant in ("a", "b") for lane in ("reply", "bulk")]
        spool.intake.accept([*mails, entry(tenant="a", route="other"), entry(tenant="b", route="other")])
        worker = await work()
        wants = (Want("main", "reply", 1), Want("main", "bulk", 1), Want("other", "reply", 1))
        assert [mail.tenant for mail in await worker.claim(*wants)] == ["a", "a", "a"]
        assert [mail.tenant for mail in await worker.claim(*wants)] == ["b", "b", "b"]

    async def test_within_a_tenant_the_oldest_goes_first_and_a_ticket_in_order(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        first, second = entry(tenant="a", ticket="7"), entry(tenant="a", ticket="7")
        other = entry("bob@example.net", tenant="a")
        for mail in (first, second, other):
            spool.intake.accept([mail])
            clock.go(SECOND)
        _hand_over(spool, clock, "b")
        worker = await work()
        claimed = await worker.claim(Want("main", "reply", 3))
        assert [(mail.tenant, mail.submission_id) for mail in claimed if mail.tenant == "a"] == [
            ("a", first.submission_id),
            ("a", other.submission_id),
        ]
        (claim,) = claims(claimed[0])
        await worker.deliveries.begin(worker.id, "a", [claim])
        await worker.deliveries.record(worker.id, [taken(claim)])
        assert [mail.submission_id for mail in await worker.claim()] == [second.submission_id]

    async def test_a_turn_that_a_tenant_has_no_use_for_goes_to_the_others(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        later = [entry(tenant=tenant, not_before_us=clock.at + HOUR) for tenant in ("a", "b", "d")]
        spool.intake.accept([*later, *(entry(f"u{number}@example.net", tenant="c") for number in range(9))])
        worker = await work()
        assert [mail.tenant for mail in await worker.claim(Want("main", "reply", 8))] == ["c"] * 8

    async def test_a_paused_tenant_is_passed_over(self, spool: Any, work: Any, clock: ContractClock) -> None:
        _hand_over(spool, clock, *["a"] * 3, *["b"] * 3)
        spool.operating.pause(Pause(Scope.parse("tenant:a"), clock.at, None, "why", "ann"))
        worker = await work()
        assert [mail.tenant for mail in await worker.claim(Want("main", "reply", 2))] == ["b", "b"]
        assert spool.operating.resume(Scope.parse("tenant:a"), actor="ann", reason="over")
        assert [mail.tenant for mail in await worker.claim(Want("main", "reply", 2))] == ["a", "b"]

    async def test_tenants_that_are_not_wanted_are_passed_over(self, spool: Any, work: Any, clock: ContractClock) -> None:
        _hand_over(spool, clock, *["a"] * 3, *["b"] * 3, *["c"] * 3)
        worker = await work()
        claimed = await worker.claim(Want("main", "reply", 4, frozenset({"a", "c"})))
        assert [mail.tenant for mail in claimed] == ["b"] * 3
        assert [mail.tenant for mail in await worker.claim(Want("main", "reply", 2, frozenset({"a"})))] == ["c", "c"]
        assert [mail.tenant for mail in await worker.claim(Want("main", "reply", 2))] == ["a", "c"]

    async def test_very_many_tenants_that_are_not_wanted_hide_none_that_is(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        held = [f"t{number:03}" for number in range(_MANY)]
        spool.intake.accept([entry(tenant=tenant) for tenant in [*held, "u"]])
        clock.go(SECOND)
        worker = await work()
        assert [mail.tenant for mail in await worker.claim(Want("main", "reply", 4, frozenset(held)))] == ["u"]

    async def test_among_very_many_tenants_each_has_its_turn_soon(self, spool: Any, work: Any, clock: ContractClock) -> None:
        flood = [entry(f"u{number}@example.net", tenant="0") for number in range(100)]
        spool.intake.accept([*flood, *(entry(tenant=f"t{number:03}") for number in range(_MANY))])
        worker = await work()
        served = [mail.tenant for _ in range(17) for mail in await worker.claim(Want("main", "reply", 10))]
        assert len(served) == 170
        assert len({tenant for tenant in served if tenant != "0"}) == _MANY

    async def test_where_most_of_very_many_tenants_wait_for_later_the_others_fill_each_claim(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        later = [entry(tenant=f"t{number:03}", not_before_us=clock.at + HOUR) for number in range(_MANY)]
        spool.intake.accept([*later, *(entry(f"u{number}@example.net", tenant="z") for number in range(30))])
        worker = await work()
        counts = [len(await worker.claim(Want("main", "reply", 10))) for _ in range(4)]
        assert counts == [10, 10, 10, 0]

    async def test_where_very_many_tenants_are_paused_the_others_have_their_turns(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        paused = [f"t{number:03}" for number in range(_MANY)]
        spool.intake.accept([*(entry(tenant=tenant) for tenant in paused), *(entry(tenant="z") for _ in range(20))])
        for tenant in paused:
            spool.operating.pause(Pause(Scope.parse(f"tenant:{tenant}"), clock.at, None, "why", "ann"))
        clock.go(SECOND)
        spool.intake.accept([entry(tenant="zz")])
        worker = await work()
        served = [mail.tenant for _ in range(4) for mail in await worker.claim(Want("main", "reply", 4))]
        assert len(served) == 16
        assert "zz" in served

    async def test_what_goes_before_a_mail_counts_the_turns_of_others(self, spool: Any, clock: ContractClock) -> None:
        _hand_over(spool, clock, *["flood"] * 6, "b")
        mine = [entry(f"m{number}@example.net", tenant="a") for number in range(3)]
        for mail in mine:
            clock.go(SECOND)
            spool.intake.accept([mail])
        ahead = [spool.reading.earlier(view_of(spool, mail), limit=100) for mail in mine]
        assert ahead == [0 + 1 + 1, 1 + 2 + 1, 2 + 3 + 1]
        assert spool.reading.earlier(view_of(spool, mine[2]), limit=4) == 4

    async def test_what_is_due_is_counted_by_lane_and_tenant(self, spool: Any, clock: ContractClock) -> None:
        _hand_over(spool, clock, "a", "a", "b")
        later = clock.at + 3600 * SECOND
        spool.intake.accept(
            [entry(tenant="a", lane="bulk"), entry(tenant="b", not_before_us=later), entry(tenant="c", route="x")]
        )
        assert spool.reading.due_of_tenants("main") == {("reply", "a"): 2, ("reply", "b"): 1, ("bulk", "a"): 1}
        assert spool.reading.due_of_tenants("nowhere") == {}

    async def test_the_first_due_of_a_lane_say_how_large_its_mails_are(self, spool: Any, clock: ContractClock) -> None:
        for size_bytes in (100, 300, 5_000):
            spool.intake.accept([entry(size_bytes=size_bytes)])
            clock.go(SECOND)
        spool.intake.accept([entry(size_bytes=90, not_before_us=clock.at + HOUR), entry(size_bytes=90, lane="other")])
        assert [spool.reading.due_bytes("main", "reply", limit=limit) for limit in (1, 2, 10)] == [100, 200, 1_800]
        assert spool.reading.due_bytes("main", "nowhere", limit=10) == 0

    async def test_a_mail_to_several_is_as_large_as_one_mail(self, spool: Any) -> None:
        spool.intake.accept([entry(recipients=("ann@example.net", "bob@example.net"), size_bytes=1_000)])
        assert spool.reading.due_bytes("main", "reply", limit=10) == 500


def _hand_over(spool: Any, clock: ContractClock, *tenants: str) -> None:
    """A mail for each, a second apart."""
    for tenant in tenants:
        spool.intake.accept([entry(tenant=tenant)])
        clock.go(SECOND)
