"""Acts of people, the outbox, retention, erasure, administration."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from ticketmail.domain.events import MailFailed
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.delivering import Completion, Retention
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import HOUR, SECOND, ContractClock, claims, entry

ALL = Scope.parse("all")


DAY = 24 * HOUR


async def end_all(spool: Any, worker: Any, state: S, **more: Any) -> None:
    """All that is due ends as ``state``."""
    for mail in await worker.claim():
        done = [Completion(c, state, spends=True, account="a", outcome="refused", **more) for c in claims(mail)]
        await worker.deliveries.record(worker.id, done)


def event_of(mail: Any) -> MailFailed:
    """An event about ``mail``."""
    return MailFailed(event_id=uuid4(), at_us=1, submission_id=mail.submission_id, recipient=mail.recipients[0])


class ActContract:
    """Acts of people, the outbox, retention, erasure, administration."""

    async def test_find_knows_every_kind_of_scope_and_pages(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mails = [entry(f"u{i}@example.net", tenant="acme", ticket="7") for i in range(3)]
        for mail in mails:
            clock.go(SECOND)
            spool.intake.accept([mail])
        worker = await work()
        await end_all(spool, worker, S.DEAD, cause="odd")
        texts = ("all", "account:a", "lane:reply", "tenant:acme", "ticket:7", "domain:example.net", "cause:odd")
        for text in texts:
            assert len(spool.reading.find(Scope.parse(text))) == 3, text
        assert len(spool.reading.find(Scope.parse("to:u1@example.net"))) == 1
        assert len(spool.reading.find(Scope.parse(f"id:{mails[0].submission_id}"))) == 1
        assert spool.reading.find(ALL, states=[S.SENT]) == []
        seen: list[UUID] = []
        after = None
        while page := spool.reading.find(ALL, limit=2, after=after):
            seen += [view.submission_id for view in page]
            after = (page[-1].submission_id, page[-1].number)
        assert seen == [mail.submission_id for mail in reversed(mails)]

    async def test_dead_letters_are_listed_by_cause_until_they_are_dismissed(self, spool: Any, work: Any) -> None:
        spool.intake.accept([entry(f"u{i}@example.net") for i in range(60)])
        worker = await work()
        await end_all(spool, worker, S.DEAD, cause="odd", reply="554 odd")
        (group,) = spool.reading.dead_causes()
        assert (group.cause, group.count, group.sample, group.account) == ("odd", 60, "554 odd", "a")
        assert spool.operating.dismiss(Scope.parse("cause:odd"), actor="ann", reason="read") == 60
        assert spool.reading.dead_causes() == []
        assert spool.operating.replay(ALL, states=[S.DEAD], lifetime_us=DAY, pace_per_s=None, actor="ann", reason="") == 0

    async def test_replay_spreads_mails_by_its_pace_over_all_chunks(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry(f"u{i}@example.net") for i in range(120)])
        worker = await work()
        await end_all(spool, worker, S.DEAD)
        await end_all(spool, worker, S.DEAD)
        clock.go(HOUR)
        done = spool.operating.replay(ALL, states=[S.DEAD], lifetime_us=DAY, pace_per_s=10, actor="ann", reason="fixed")
        assert done == 120
        due = sorted(view.due_us for view in spool.reading.find(ALL, limit=200))
        assert due == [clock.at + i * 100_000 for i in range(120)]
        assert len(await worker.claim()) == 1
        assert [row.actor for row in spool.reading.log(since_us=clock.at, limit=3)] == ["ann"] * 3

    async def test_an_id_with_a_number_is_one_recipient(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry(recipients=("ann@example.net", "bob@example.net", "cid@example.net"))
        spool.intake.accept([mail])
        act = {"actor": "ann", "reason": "read"}
        one, all_of_it = Scope.parse(f"id:{mail.submission_id}/1"), Scope.parse(f"id:{mail.submission_id}")
        worker = await work()
        spool.operating.pause(Pause(one, clock.at, None, "why", "ann"))
        await end_all(spool, worker, S.DEAD)
        assert [view.state for view in spool.reading.find(all_of_it)] == [S.DEAD, S.QUEUED, S.DEAD]
        spool.operating.resume(one, **act)
        await end_all(spool, worker, S.DEAD)
        assert [view.number for view in spool.reading.find(one)] == [1]
        assert spool.operating.replay(one, states=[S.DEAD], lifetime_us=DAY, pace_per_s=None, **act) == 1
        assert [view.state for view in spool.reading.find(all_of_it)] == [S.DEAD, S.QUEUED, S.DEAD]
        assert spool.operating.cancel(one, **act) == 1
        assert spool.operating.dismiss(Scope.parse(f"id:{mail.submission_id.hex}/2"), **act) == 1
        assert [view.dismissed for view in spool.reading.find(all_of_it)] == [False, False, True]
        assert spool.operating.replay(all_of_it, states=[S.DEAD], lifetime_us=DAY, pace_per_s=None, **act) == 1

    async def test_an_unknown_is_replayed_only_if_it_waits_for_a_human_and_can_be_settled(self, spool: Any, work: Any) -> None:
        looked_at, waits = entry("a@example.net"), entry("b@example.net")
        spool.intake.accept([looked_at, waits])
        worker = await work()
        for mail in await worker.claim():
            (claim,) = claims(mail)
            await worker.deliveries.begin(worker.id, "a", [claim])
            due = 5 if mail.submission_id == looked_at.submission_id else None
            await worker.deliveries.record(worker.id, [Completion(claim, S.UNKNOWN, due_us=due, outcome="unclear")])
        act = {"actor": "ann", "reason": "asked them"}
        assert spool.operating.replay(ALL, states=[S.UNKNOWN], lifetime_us=DAY, pace_per_s=None, **act) == 1
        assert spool.operating.settle(looked_at.submission_id, 0, sent=True, **act)
        assert not spool.operating.settle(looked_at.submission_id, 0, sent=False, **act)
        assert spool.reading.overview().counts == {S.SENT: 1, S.QUEUED: 1}

    async def test_edit_corrects_a_dead_letters_recipient(self, spool: Any, work: Any) -> None:
        mail = entry("ann@exmaple.net")
        spool.intake.accept([mail])
        assert not spool.operating.edit(mail.submission_id, 0, recipient="x@example.net", actor="a", reason="")
        await end_all(spool, await work(), S.FAILED)
        assert spool.operating.edit(mail.submission_id, 0, recipient="Ann@example.net", actor="ann", reason="typo")
        assert spool.reading.find(Scope.parse("to:ann@example.net"))[0].recipient == "Ann@example.net"
        assert "exmaple" in spool.reading.history(mail.submission_id)[-1].reason

    async def test_the_outbox_leases_repeats_buries_and_replays(self, spool: Any, work: Any, clock: ContractClock) -> None:
        mail = entry()
        spool.intake.accept([mail])
        assert not spool.outbox.wait(0)
        event = event_of(mail)
        await end_all(spool, await work(), S.FAILED, events=(event,))
        assert spool.outbox.wait(5)
        (item,) = spool.outbox.take(10, 60)
        assert (item.event, item.attempts) == (event, 0)
        assert spool.outbox.take(10, 60) == []
        clock.go(61 * SECOND)
        (again,) = spool.outbox.take(10, 60)
        spool.outbox.done([item])  # stale
        spool.outbox.failed(again, "boom", 5)
        clock.go(5 * SECOND)
        (third,) = spool.outbox.take(10, 60)
        assert third.attempts == 1
        spool.outbox.failed(third, "boom", None)
        assert spool.reading.overview().events_dead == 1
        assert spool.outbox.replay(None) == 1
        spool.outbox.done(spool.outbox.take(10, 60))
        assert (spool.outbox.take(10, 60), spool.reading.overview().events_waiting) == ([], 0)

    async def test_erasure_reaches_body_blobs_events_names_and_history(self, spool: Any, work: Any, clock: ContractClock) -> None:
        digest = spool.blobs.put("", b"scan of a passport")
        sent = entry("Ann@example.net", blobs=(digest,))
        waiting = entry("ann@example.net", recipients=("ann@example.net", "bob@example.net"), lane="bulk")
        spool.intake.accept([sent, waiting])
        spool.operating.suppress(Suppression("ann@example.net", "c", "e", clock.at), actor="x", reason="ann@example.net asked")
        await end_all(spool, await work(), S.DEAD, reply="550 ANN@example.net unknown", events=(event_of(sent),))
        erased = spool.operating.erase("ann@example.net", actor="dpo", reason="art. 17, ann@example.net")
        assert (erased.deliveries, erased.bodies, erased.blobs, erased.events, erased.suppressions) == (2, 1, 1, 1, 1)
        assert spool.reading.body(sent.submission_id) is None
        assert spool.reading.body(waiting.submission_id) == b"body"  # bob still waits for it
        with pytest.raises(KeyError):
            spool.blobs.get("", digest)
        everything = repr(
            (spool.reading.find(ALL), spool.reading.log(since_us=0, decisions_only=False), spool.reading.suppressions())
        )
        assert "ann@example.net" not in everything.lower()
        assert {view.state for view in spool.reading.find(Scope.parse(f"id:{waiting.submission_id}"))} == {S.CANCELLED, S.QUEUED}

    async def test_retention_deletes_bodies_and_keys_but_no_unread_dead_letter(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        dead, kept, keyed = entry("d@example.net"), entry("k@example.net", lane="bulk"), entry(key="k", ticket="1", lane="x")
        digest = spool.blobs.put("", b"orphan")
        spool.intake.accept([dead])
        worker = await work()
        await end_all(spool, worker, S.DEAD)
        spool.intake.accept([kept, keyed])
        spool.operating.cancel(Scope.parse("ticket:1"), actor="a", reason="")
        clock.go(95 * DAY)
        purged = await worker.upkeep.purge(Retention(), 100)
        assert (purged["bodies"], purged["submissions"], purged["blobs"]) == (1, 1, 1)
        assert "1 bodies" in next(row.reason for row in spool.reading.log(since_us=clock.at) if row.kind == "purge")
        with pytest.raises(KeyError):
            spool.blobs.get("", digest)
        assert [spool.reading.body(mail.submission_id) for mail in (dead, kept, keyed)] == [b"body", b"body", None]
        assert spool.intake.accept([keyed])[0].new  # keys live 90 days
        spool.operating.dismiss(ALL, actor="a", reason="")
        clock.go(31 * DAY)
        assert (await worker.upkeep.purge(Retention(), 100))["bodies"] == 1
        clock.go(400 * DAY)
        assert (await worker.upkeep.purge(Retention(), 100))["history"] > 0

    def test_blobs_are_apart_per_tenant_and_refs_lead_to_tickets(self, spool: Any) -> None:
        digest = spool.blobs.put("acme", b"x")
        assert (spool.blobs.put("acme", b"x"), spool.blobs.get("acme", digest)) == (digest, b"x")
        with pytest.raises(KeyError):
            spool.blobs.get("other", digest)
        mail = entry()
        ref = TokenRef(b"123456789", "acme", "7", mail.submission_id)
        spool.intake.accept([entry(refs=(ref,))])
        assert spool.directory.resolve(b"123456789") == ref
        assert spool.directory.resolve(b"000000000") is None

    def test_a_pause_that_is_over_is_not_listed(self, spool: Any, clock: ContractClock) -> None:
        spool.operating.pause(Pause(ALL, clock.at, clock.at + SECOND, "why", "ann"))
        assert len(spool.reading.pauses()) == 1
        clock.go(2 * SECOND)
        assert spool.reading.pauses() == []

    def test_log_lists_decisions_only_unless_asked(self, spool: Any) -> None:
        spool.intake.accept([entry()])
        spool.operating.pause(Pause(ALL, 1, None, "why", "ann"))
        assert [row.kind for row in spool.reading.log(since_us=0)] == ["pause"]
        assert [row.kind for row in spool.reading.log(since_us=0, decisions_only=False)] == ["accepted", "pause"]

    def test_a_log_that_is_cut_has_what_is_newest(self, spool: Any, clock: ContractClock) -> None:
        for lane in ("reply", "notice", "bulk"):
            spool.operating.pause(Pause(Scope.parse(f"lane:{lane}"), clock.at, None, lane, "ann"))
            clock.go(HOUR)
        assert [row.reason for row in spool.reading.log(since_us=0, limit=2)] == ["notice", "bulk"]
