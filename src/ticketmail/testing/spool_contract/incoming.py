"""Incoming mail: stored once, one event each, leases that end, ids that lead to tickets, forgetting."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from typing import Any

import pytest

from ticketmail.domain.events import MailBounced, MailReceived
from ticketmail.domain.inbound.acknowledging import Pace
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.delivering import Retention
from ticketmail.domain.ports.receiving import Feedback, InboundItem, InboundState, RawMail, Settlement
from ticketmail.domain.ticket import id_ref
from ticketmail.testing.spool_contract.kit import MINUTE, ContractClock, claims, entry, taken

_ACT = {"actor": "ann", "reason": "a test"}
DAY = 24 * 60 * MINUTE


def raw(source: str = "1", content: bytes = b"Subject: hi\r\n\r\nhello", **more: Any) -> RawMail:
    """A mail in the mailbox ``help``."""
    return RawMail(**{"mailbox": "help", "source": source, "content": content, "envelope_to": ("help@example.com",), **more})


def settlement(item: InboundItem, same_as: str = "1", **more: Any) -> Settlement:
    """What it became; equal ``same_as`` are the same mail."""
    event = MailReceived(
        event_id=uuid.uuid5(uuid.NAMESPACE_OID, same_as),
        at_us=1,
        inbound_id=item.view.inbound_id,
        mailbox=item.view.mailbox,
        tenant=item.view.tenant,
        ticket=more.pop("ticket", None),
    )
    values = {"message_id": f"{same_as}@example.net", "author": "ann@example.net", "subject": "hi", "strength": "none"}
    return Settlement(event, **{**values, **more})


def take_one(spool: Any) -> InboundItem:
    """The one stored mail that is due."""
    (item,) = spool.ledger.take(10, 60)
    found: InboundItem = item
    return found


def told(spool: Any) -> list[Any]:
    """Events that wait; they are done with it."""
    items = spool.outbox.take(100, 60)
    spool.outbox.done(items)
    return [item.event for item in items]


class IncomingContract:
    """Incoming mail: stored once, one event each, leases that end, ids that lead to tickets, forgetting."""

    def test_a_mail_is_stored_once_by_its_source_key_with_its_bytes(self, spool: Any) -> None:
        first, again, other = spool.ledger.store([raw(), raw(content=b"other bytes"), raw(mailbox="sales")])
        assert (first.new, again.new, other.new) == (True, False, True)
        assert first.inbound_id == again.inbound_id != other.inbound_id
        view = spool.ledger.get(first.inbound_id)
        assert (view.state, view.size_bytes, view.envelope_to) == (InboundState.STORED, 20, ("help@example.com",))
        assert spool.blobs.get("", view.raw) == raw().content
        assert spool.ledger.has("help", ["1", "2"]) == {"1"}

    def test_one_in_line_is_leased_to_one_and_comes_again_after_its_lease(self, spool: Any, clock: ContractClock) -> None:
        spool.ledger.store([raw()])
        item = take_one(spool)
        assert item.content == raw().content
        assert spool.ledger.take(10, 60) == []
        clock.go(2 * MINUTE)
        again = take_one(spool)
        assert again.view.fence > item.view.fence
        assert spool.ledger.settle(item, settlement(item)) is None
        assert told(spool) == []
        assert spool.ledger.settle(again, settlement(again)) is InboundState.DONE
        assert [event.kind for event in told(spool)] == ["received"]

    def test_a_failure_is_counted_and_comes_again_when_it_may(self, spool: Any, clock: ContractClock) -> None:
        spool.ledger.store([raw()])
        item = take_one(spool)
        spool.ledger.failed(item, "the reader died", 30)
        assert spool.ledger.take(10, 60) == []
        clock.go(MINUTE)
        assert take_one(spool).view.attempts == 1
        spool.ledger.failed(item, "stale", 0)
        assert spool.ledger.get(item.view.inbound_id).error == "the reader died"

    def test_copies_of_one_mail_become_one_event_whoever_settles_when(self, spool: Any) -> None:
        spool.ledger.store([raw(str(number)) for number in range(6)])
        items = list(spool.ledger.take(10, 60))
        states: list[Any] = []

        def settle(part: list[InboundItem]) -> None:
            states.extend(spool.ledger.settle(item, settlement(item)) for item in part)

        threads = [threading.Thread(target=settle, args=(items[place::3],)) for place in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(states) == [InboundState.DONE, *[InboundState.DUPLICATE] * 5]
        assert len(told(spool)) == 1
        assert spool.ledger.counts("help") == {InboundState.DONE: 1, InboundState.DUPLICATE: 5}

    def test_another_mail_with_the_same_message_id_is_told_with_a_risk(self, spool: Any) -> None:
        spool.ledger.store([raw("1"), raw("2")])
        first, second = spool.ledger.take(10, 60)
        spool.ledger.settle(first, settlement(first, "1", message_id="x@example.net"))
        spool.ledger.settle(second, settlement(second, "2", message_id="x@example.net"))
        assert [event.risks for event in told(spool)] == [(), ("message-id-reused",)]

    def test_what_could_not_be_read_is_dead_told_and_read_again_when_a_human_asks(self, spool: Any) -> None:
        spool.ledger.store([raw()])
        item = take_one(spool)
        assert spool.ledger.settle(item, settlement(item, error="too deep")) is InboundState.DEAD
        assert len(told(spool)) == 1
        assert spool.ledger.again(item.view.inbound_id)
        assert not spool.ledger.again(item.view.inbound_id)
        again = take_one(spool)
        assert (again.view.attempts, again.view.event_id) == (0, item.view.event_id or settlement(item).event.event_id)
        assert spool.ledger.settle(again, settlement(again, "1, read anew")) is InboundState.DONE
        assert len(told(spool)) == 1

    def test_ids_lead_to_the_ticket_that_the_host_names(self, spool: Any) -> None:
        spool.ledger.store([raw()])
        item = take_one(spool)
        s = settlement(item)
        spool.ledger.settle(item, s)
        ref = id_ref("", "1@example.net")
        assert spool.directory.resolve(ref) is None
        assert spool.ledger.assign(s.event.event_id, "4711")
        assert spool.ledger.assign(s.event.event_id, "4711")
        assert not spool.ledger.assign(s.event.event_id, "4712")
        assert not spool.ledger.assign(uuid.uuid4(), "4711")
        assert spool.directory.resolve(ref) == TokenRef(ref, "", "4711", None)
        assert spool.ledger.get(item.view.inbound_id).ticket == "4711"
        assert [row.kind for row in spool.reading.history(item.view.inbound_id)] == ["received", "assigned", "assigned"]

    def test_further_refs_lead_there_too_once_the_host_has_named_it(self, spool: Any) -> None:
        number = id_ref("", "number 17 of example.net")
        spool.ledger.store([raw()])
        item = take_one(spool)
        s = settlement(item, marks=(number,))
        spool.ledger.settle(item, s)
        assert spool.directory.resolve(number) is None
        spool.ledger.assign(s.event.event_id, "4711")
        assert spool.directory.resolve(number) == TokenRef(number, "", "4711", None)

    def test_several_are_settled_together_each_as_if_alone(self, spool: Any) -> None:
        spool.ledger.store([raw(str(number)) for number in range(4)])
        one, copy, lost, other = spool.ledger.take(10, 60)
        spool.ledger.settle(lost, settlement(lost, "3"))
        told(spool)
        group = [(one, settlement(one, "1")), (copy, settlement(copy, "1")), (lost, settlement(lost, "4"))]
        states = spool.ledger.settle_all([*group, (other, settlement(other, "2", error="boom"))])
        assert states == [InboundState.DONE, InboundState.DUPLICATE, None, InboundState.DEAD]
        assert [event.inbound_id for event in told(spool)] == [one.view.inbound_id, other.view.inbound_id]
        assert spool.ledger.settle_all([]) == []

    def test_of_several_that_cannot_all_be_settled_none_is(self, spool: Any) -> None:
        spool.ledger.store([raw("1"), raw("2")])
        one, bad = spool.ledger.take(10, 60)
        broken = settlement(bad, "2", feedback=(object(),))
        with pytest.raises(AttributeError):
            spool.ledger.settle_all([(one, settlement(one, "1")), (bad, broken)])
        assert told(spool) == []
        assert spool.ledger.settle(one, settlement(one, "1")) is InboundState.DONE

    def test_earlier_mails_of_a_ticket_and_of_an_author_are_known_newest_first(self, spool: Any, clock: ContractClock) -> None:
        spool.intake.accept([entry("Bob@example.net", ticket="4711")])
        for number, ticket in enumerate(["4711", None, "4711"]):
            clock.go(MINUTE)
            spool.ledger.store([raw(str(number))])
            item = take_one(spool)
            spool.ledger.settle(item, settlement(item, str(number), ticket=ticket, subject=f"Subject {number}"))
        clock.go(MINUTE)
        sent, newest, first = spool.ledger.earlier("", ticket="4711", limit=10)
        assert (sent.ours, sent.subject, round(sent.age_s / 60)) == (True, "", 4)
        assert [(one.subject, one.ticket, round(one.age_s / 60)) for one in (newest, first)] == [
            ("Subject 2", "4711", 1),
            ("Subject 0", "4711", 3),
        ]
        assert spool.ledger.earlier("other", ticket="4711", limit=10) == []
        written = spool.ledger.written("", "help", "ann@example.net", within_s=150, limit=10)
        assert [(one.subject, one.ticket, one.category) for one in written] == [
            ("Subject 2", "4711", "human"),
            ("Subject 1", None, "human"),
        ]
        assert spool.ledger.written("", "sales", "ann@example.net", within_s=900, limit=10) == []
        assert len(spool.ledger.written("", "help", "ann@example.net", within_s=900, limit=1)) == 1

    def test_familiar_is_who_was_written_to_or_has_a_ticket(self, spool: Any) -> None:
        spool.intake.accept([entry("Bob@example.net")])
        spool.ledger.store([raw()])
        item = take_one(spool)
        s = settlement(item)
        spool.ledger.settle(item, s)
        assert spool.ledger.is_familiar("", "bob@example.net")
        assert not spool.ledger.is_familiar("", "ann@example.net")
        assert not spool.ledger.is_familiar("other", "bob@example.net")
        spool.ledger.assign(s.event.event_id, "4711")
        assert spool.ledger.is_familiar("", "ann@example.net")

    def test_participants_are_those_who_wrote_and_those_written_to(self, spool: Any) -> None:
        spool.intake.accept([entry("Bob@example.net", ticket="4711")])
        spool.ledger.store([raw()])
        item = take_one(spool)
        spool.ledger.settle(item, settlement(item, ticket="4711", strength="strong"))
        assert spool.ledger.participants("", "4711") == {"ann@example.net", "bob@example.net"}
        assert spool.ledger.participants("other", "4711") == frozenset()

    def test_feedback_counts_once_per_delivery_and_kind(self, spool: Any, clock: ContractClock) -> None:
        mail = entry()
        spool.intake.accept([mail])
        event = MailBounced(event_id=uuid.uuid4(), at_us=1, submission_id=mail.submission_id, recipient="ann@example.net")
        suppress = Suppression("ann@example.net", "no-such-mailbox", "550 5.1.1", clock.at)
        bounced = Feedback(mail.submission_id, 0, "bounced", "It came back.", "no-such-mailbox", "550", event, suppress)
        spool.ledger.store([raw("1"), raw("2")])
        for number, item in enumerate(spool.ledger.take(10, 60)):
            spool.ledger.settle(item, settlement(item, str(number), feedback=(bounced,)))
        assert [event.kind for event in told(spool)].count("bounced") == 1
        assert [row.kind for row in spool.reading.history(mail.submission_id)].count("bounced") == 1
        assert [one.address for one in spool.reading.suppressions()] == ["ann@example.net"]
        assert spool.ledger.deliveries(mail.submission_id) == [(0, "ann@example.net", "reply")]

    def test_how_an_address_writes_is_counted(self, spool: Any, clock: ContractClock) -> None:
        spool.ledger.store([raw(str(number)) for number in range(3)])
        for number, item in enumerate(spool.ledger.take(10, 60)):
            how = {"acknowledged": number > 0, "subject": "hi" if number == 1 else "ho", "ticket": "7" if number == 1 else None}
            spool.ledger.settle(item, settlement(item, str(number), **how))
        span = {"recent_s": 60.0, "day_s": 86_400.0}
        assert spool.ledger.pace("", "ann@example.net", "hi", "7", **span) == Pace(3, 2, 1, 1)
        clock.go(10 * MINUTE)
        assert spool.ledger.pace("", "ann@example.net", "hi", None, **span) == Pace(0, 2, 1, 0)
        assert spool.ledger.pace("other", "ann@example.net", "hi", None, **span) == Pace()

    def test_a_source_goes_on_where_it_was(self, spool: Any) -> None:
        assert spool.ledger.cursor("help", "INBOX") == ""
        spool.ledger.move_cursor("help", "INBOX", "17:4711")
        spool.ledger.move_cursor("help", "INBOX", "17:4712")
        assert spool.ledger.cursor("help", "INBOX") == "17:4712"
        assert spool.ledger.cursor("help", "Spam" * 100) == ""

    def test_mails_are_found_by_mailbox_ticket_state_and_time_newest_first(self, spool: Any, clock: ContractClock) -> None:
        spool.ledger.store([raw("1")])
        clock.go(MINUTE)
        spool.ledger.store([raw("2", mailbox="sales")])
        first = spool.ledger.take(1, 60)[0]
        spool.ledger.settle(first, settlement(first, ticket="7"))
        assert [view.source for view in spool.ledger.find()] == ["2", "1"]
        assert [view.source for view in spool.ledger.find(mailbox="help", ticket="7")] == ["1"]
        assert [view.source for view in spool.ledger.find(states=[InboundState.STORED])] == ["2"]
        assert [view.source for view in spool.ledger.find(since_us=clock.at)] == ["2"]
        assert len(spool.ledger.find(limit=1)) == 1

    async def test_bytes_go_after_their_time_and_rows_with_the_history(self, spool: Any, work: Any, clock: ContractClock) -> None:
        spool.ledger.store([raw("1"), raw("2", b"dead")])
        done, dead = spool.ledger.take(10, 60)
        if done.content == b"dead":
            done, dead = dead, done
        spool.ledger.settle(done, settlement(done, "1"))
        spool.ledger.settle(dead, settlement(dead, "2", error="too deep"))
        told(spool)
        worker = await work()
        clock.go(91 * DAY)
        assert (await worker.upkeep.purge(Retention(), 100))["inbound"] == 1
        view = spool.ledger.get(done.view.inbound_id)
        assert (view.raw, view.state) == ("", InboundState.DONE)
        assert spool.blobs.get("", dead.view.raw) == b"dead"
        clock.go(400 * DAY)
        await worker.upkeep.purge(Retention(), 100)
        assert spool.ledger.get(done.view.inbound_id) is None
        assert spool.ledger.get(dead.view.inbound_id) is not None

    async def test_bytes_of_each_category_go_after_its_own_time(self, spool: Any, work: Any, clock: ContractClock) -> None:
        for category in ("human", "bounce", "bulk"):
            spool.ledger.store([raw(category, category.encode())])
            item = take_one(spool)
            s = settlement(item, category)
            spool.ledger.settle(item, dataclasses.replace(s, event=s.event.model_copy(update={"category": category})))
        worker, kept = await work(), []
        for days in (8, 30, 60):
            clock.go(days * DAY)
            await worker.upkeep.purge(Retention(inbound_days_by={"bounce": 30, "bulk": 7}), 100)
            kept.append(sorted(view.category for view in spool.ledger.find() if view.raw))
        assert kept == [["bounce", "human"], ["human"], []]

    async def test_a_key_that_is_used_again_after_its_time_bounces_anew(
        self, spool: Any, work: Any, clock: ContractClock
    ) -> None:
        worker, ident, told_of = await work(), uuid.uuid4(), []
        for source in ("1", "2"):
            spool.intake.accept([entry(submission_id=ident, key="note-991")])
            (mail,) = await worker.claim()
            await worker.deliveries.begin(worker.id, "a", claims(mail))
            await worker.deliveries.record(worker.id, [taken(claim) for claim in claims(mail)])
            spool.ledger.store([raw(source)])
            item = take_one(spool)
            event = MailBounced(event_id=uuid.uuid4(), at_us=1, submission_id=ident, recipient="ann@example.net")
            bounced = Feedback(ident, 0, "bounced", "It came back.", event=event)
            spool.ledger.settle(item, settlement(item, source, feedback=(bounced,)))
            told_of += [event.kind for event in told(spool)]
            clock.go(100 * DAY)
            await worker.upkeep.purge(Retention(), 100)
        assert told_of == ["received", "bounced"] * 2

    def test_a_person_is_forgotten_in_reports_about_mails_to_them(self, spool: Any) -> None:
        mail = entry()
        spool.intake.accept([mail])
        spool.ledger.store([raw("1", b"ann@example.net is unknown"), raw("2", b"ann@example.net is unknown"), raw("3")])
        for item in spool.ledger.take(10, 60):
            report = item.content != raw().content
            bounced = Feedback(mail.submission_id, 0, "bounced", "It came back.", reply="550 <ann@example.net> is unknown")
            feedback = (bounced,) if report else ()
            spool.ledger.settle(item, settlement(item, "report" if report else "3", author="bob@example.net", feedback=feedback))
        erased = spool.operating.erase("ann@example.net", **_ACT)
        assert (erased.received, erased.blobs, erased.events) == (2, 1, 1)
        assert [view.source for view in spool.ledger.find() if view.raw] == ["3"]
        assert "ann@" not in str(spool.reading.history(mail.submission_id))

    def test_a_person_is_forgotten_in_what_they_wrote_too(self, spool: Any) -> None:
        spool.ledger.store([raw("1", envelope_from="Ann@example.net"), raw("2", b"of bob")])
        for number, item in enumerate(spool.ledger.take(10, 60)):
            author = "bob@example.net" if item.content == b"of bob" else "ann@example.net"
            spool.ledger.settle(item, settlement(item, str(number), author=author))
        erased = spool.operating.erase("ann@example.net", **_ACT)
        assert (erased.received, erased.blobs, erased.events) == (1, 1, 1)
        (gone,) = [view for view in spool.ledger.find() if view.author != "bob@example.net"]
        assert "ann" not in f"{gone.author}{gone.envelope_from}{gone.verdict}"
        assert (gone.subject, gone.raw) == ("", "")
        assert len(told(spool)) == 1
