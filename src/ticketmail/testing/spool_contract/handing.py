"""Handing over: results, due times, deadlines, order in a ticket, replacing, joining a host's transaction."""

from __future__ import annotations

import threading
from typing import Any, Protocol
from uuid import uuid4

import pytest

from ticketmail.domain.errors import KeyReused
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.ports.delivering import Want
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import HOUR, MINUTE, SECOND, ContractClock, claims, entry, state_of, view_of

ALL = Scope.parse("all")


class HostTransaction(Protocol):
    """A transaction of a host's own on the spool's database, open and a writer already."""

    connection: object

    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class HandingContract:
    """Handing over: results, due times, deadlines, order in a ticket, replacing, joining a host's transaction."""

    @pytest.fixture
    def host_transaction(self, spool: Any) -> HostTransaction:
        """Override me where ``joins_transactions`` is declared: a transaction on the store of ``make_spool``."""
        if not spool.capabilities.joins_transactions:
            pytest.skip("this spool joins no transaction, and says so")
        pytest.skip("override the fixture host_transaction to prove connection=")

    def test_each_entry_of_a_call_has_its_result_in_order(self, spool: Any) -> None:
        old, new = entry(), entry()
        spool.intake.accept([old])
        other = entry(submission_id=old.submission_id, fingerprint=b"x" * 32, key="k")
        first, second, third = spool.intake.accept([other, new, old])
        assert isinstance(first, KeyReused)
        assert (second.submission_id, second.new) == (new.submission_id, True)
        assert (third.submission_id, third.new) == (old.submission_id, False)
        assert sum(spool.reading.overview().counts.values()) == 2

    def test_nothing_handed_over_is_nothing_stored(self, spool: Any) -> None:
        assert list(spool.intake.accept([])) == []
        assert spool.reading.find(ALL) == []

    def test_each_recipient_is_a_delivery_with_its_row(self, spool: Any) -> None:
        mail = entry(recipients=("a@example.net", "b@example.net", "c@example.net"))
        spool.intake.accept([mail])
        assert [(view.number, view.state) for view in spool.reading.find(ALL)] == [(0, S.QUEUED), (1, S.QUEUED), (2, S.QUEUED)]
        rows = spool.reading.history(mail.submission_id)
        assert [(row.kind, row.number, row.state) for row in rows] == [("accepted", number, "queued") for number in range(3)]

    async def test_a_mail_for_later_is_not_claimed_before(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry(not_before_us=clock.at + HOUR)])
        worker = await work()
        assert await worker.claim() == []
        clock.go(HOUR)
        assert len(await worker.claim()) == 1

    def test_the_deadline_is_the_hosts_or_the_lifetime_by_the_spools_clock(self, spool: Any, clock: ContractClock) -> None:
        by_host, by_lane = entry(deadline_us=clock.at + MINUTE), entry(lifetime_us=HOUR)
        spool.intake.accept([by_host, by_lane])
        assert view_of(spool, by_host).deadline_us == clock.at + MINUTE
        assert view_of(spool, by_lane).deadline_us == clock.at + HOUR

    def test_a_mail_waits_for_no_mail_that_is_due_later(self, spool: Any, clock: ContractClock) -> None:
        later, now = entry(ticket="7", not_before_us=clock.at + HOUR), entry(ticket="7")
        spool.intake.accept([later])
        spool.intake.accept([now])
        assert (view_of(spool, now).behind, view_of(spool, now).due_us) == (None, clock.at)

    def test_order_is_per_tenant_and_by_the_recipients_key(self, spool: Any) -> None:
        first, other, same = entry(ticket="7"), entry(ticket="7", tenant="acme"), entry("ANN@Example.net", ticket="7")
        spool.intake.accept([first, other, same])
        assert view_of(spool, other).behind is None
        assert view_of(spool, same).behind == (first.submission_id, 0)

    async def test_whoever_ends_unsent_frees_the_next_in_its_ticket(self, spool: Any, work: Any) -> None:
        first, second = entry(ticket="7"), entry(ticket="7")
        spool.intake.accept([first, second])
        spool.operating.cancel(Scope.parse(f"id:{first.submission_id}"), actor="ann", reason="")
        assert [mail.submission_id for mail in await (await work()).claim()] == [second.submission_id]

    async def test_only_what_is_queued_is_superseded(self, spool: Any, work: Any) -> None:
        mail = entry(recipients=("a@example.net", "b@example.net"))
        spool.intake.accept([mail])
        worker = await work()
        (claimed,) = await worker.claim()
        first, second = claims(claimed)
        await worker.deliveries.release(worker.id, [second])
        spool.intake.accept([entry(supersedes=mail.submission_id)])
        assert [state_of(spool, mail, number) for number in (0, 1)] == [S.CLAIMED, S.SUPERSEDED]
        assert [row.kind for row in spool.reading.history(mail.submission_id, 1)] == ["accepted", "superseded"]
        assert [(item.event.kind, item.event.recipient) for item in spool.outbox.take(5, 60)] == [("cancelled", "b@example.net")]
        assert await worker.deliveries.begin(worker.id, "a", [first]) == [True]

    def test_to_supersede_what_never_came_is_no_fault(self, spool: Any) -> None:
        (accepted,) = spool.intake.accept([entry(supersedes=uuid4())])
        assert accepted.new

    async def test_a_mail_replaces_one_of_the_same_call(self, spool: Any, work: Any) -> None:
        old = entry(ticket="7")
        new = entry(ticket="7", supersedes=old.submission_id)
        spool.intake.accept([old])
        spool.intake.accept([new, entry("bob@example.net", ticket="7")])
        assert state_of(spool, old) is S.SUPERSEDED
        assert len(await (await work()).claim()) == 2

    def test_threads_hand_over_at_once_and_nothing_is_lost_or_doubled(self, spool: Any) -> None:
        mails = [entry(f"u{number}@example.net") for number in range(20)]
        new: list[bool] = []

        def hand_over() -> None:
            new.extend(spool.intake.accept([mail])[0].new for mail in mails)

        threads = [threading.Thread(target=hand_over) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(new), new.count(True)) == (60, 20)
        assert spool.reading.overview().counts == {S.QUEUED: 20}

    async def test_content_lives_as_long_as_a_mail_refers_to_it(self, spool: Any, work: Any, clock: ContractClock) -> None:
        from ticketmail.domain.ports.delivering import Retention

        digest = spool.blobs.put("", b"an attachment")
        assert digest.startswith("sha256:")
        spool.intake.accept([entry(blobs=(digest, digest), lifetime_us=10**15)])
        clock.go(30 * 24 * HOUR)
        await (await work()).upkeep.purge(Retention(), 100)
        assert spool.blobs.get("", digest) == b"an attachment"

    async def test_content_that_is_put_again_is_young_again(self, spool: Any, work: Any, clock: ContractClock) -> None:
        from ticketmail.domain.ports.delivering import Retention

        digest = spool.blobs.put("", b"an attachment")
        clock.go(6 * 24 * HOUR)
        spool.blobs.put("", b"an attachment")
        clock.go(6 * 24 * HOUR)
        await (await work()).upkeep.purge(Retention(), 100)
        assert spool.blobs.get("", digest) == b"an attachment"

    async def test_a_hosts_rollback_means_no_mail(self, spool: Any, work: Any, host_transaction: HostTransaction) -> None:
        mail = entry()
        assert spool.intake.accept([mail], connection=host_transaction.connection)[0].new
        host_transaction.rollback()
        assert spool.reading.find(ALL) == []
        assert spool.reading.history(mail.submission_id) == []
        assert await (await work()).claim() == []
        assert spool.intake.accept([mail])[0].new

    async def test_a_hosts_commit_hands_over(self, spool: Any, work: Any, host_transaction: HostTransaction) -> None:
        mail = entry()
        spool.intake.accept([mail], connection=host_transaction.connection)
        host_transaction.commit()
        assert [found.submission_id for found in await (await work()).claim()] == [mail.submission_id]

    async def test_lanes_and_routes_do_not_reach_into_one_another(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry(lane="bulk"), entry(route="other")])
        worker = await work()
        assert await worker.claim() == []
        assert len(await worker.claim(Want("main", "bulk", 5), Want("other", "reply", 5))) == 2
        clock.go(SECOND)
