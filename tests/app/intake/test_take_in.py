"""Jobs become mail in the spool: each once, as the host decided, cancelled wherever the cancellation comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from app.intake.kit import AT_US, Service, cancel, job_of, order
from ticketmail.app.usecases.compile import part_id
from ticketmail.domain.address import parse_address
from ticketmail.domain.event_job import Answer, answer_parcel
from ticketmail.domain.events import MailCancelled
from ticketmail.domain.job import SuppressOrder
from ticketmail.domain.scope import Scope

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_job_is_a_mail_as_the_host_decided_it(service: Service) -> None:
    one = order(lane="notice", ticket="4711", key="note-1", message_id="<own@desk.example>", traceparent=TRACE)

    taken = service.take(one)

    (view,) = service.views
    assert dict(taken.counts) == {"accepted": 1}
    assert (view.submission_id, view.message_id, view.lane, view.ticket, view.key) == (
        one.submission_id, "<own@desk.example>", "notice", "4711", "note-1",
    )  # fmt: skip
    assert taken.oldest_us == AT_US


def test_without_the_secret_the_service_mints_the_message_id(service: Service) -> None:
    service.take(order())
    assert service.views[0].message_id.endswith("@example.com>")


def test_a_job_that_comes_again_is_one_mail(service: Service) -> None:
    one, two = order("a@example.net"), order("b@example.net", key="k")
    service.take(one, two)
    assert dict(service.take(one, two, two).counts) == {"repeated": 3}
    assert len(service.views) == 2


def test_a_batch_keeps_the_order_of_a_ticket(service: Service) -> None:
    first, second = order(ticket="7"), order(ticket="7", text="And another thing.")
    service.take(first, second)
    behind = {view.submission_id: view.behind for view in service.views}
    assert behind == {first.submission_id: None, second.submission_id: (first.submission_id, 0)}


def test_a_deadline_that_passed_on_the_road_is_no_fault(service: Service) -> None:
    """The host handed it over in time: it expires where it can be seen, instead of being refused."""
    deadline = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=AT_US, seconds=60)
    assert dict(service.take(order(deadline=deadline)).counts) == {"accepted": 1}


def test_single_mails_have_ids_of_their_own(service: Service) -> None:
    one = order(to="a@example.net", per_recipient=True, message_id="<own@desk.example>")
    service.take(one)
    (view,) = service.views
    assert view.submission_id == part_id(one.submission_id, parse_address("a@example.net"))
    assert view.message_id != "<own@desk.example>"


def test_jobs_whose_host_waits_for_our_word_are_named(service: Service) -> None:
    one, other, bad = order(confirm=True), order(), order(lane="no-such-lane", confirm=True)
    assert service.take(one, other, bad).awaited == (one.submission_id, bad.submission_id)


# --- cancellations ----------------------------------------------------------------------------------------------------------


def test_a_cancellation_ends_what_has_not_begun(service: Service) -> None:
    one, other = order("a@example.net"), order("b@example.net")
    service.take(one, other, cancel(f"id:{one.submission_id}"))
    assert service.states == {"a@example.net": "cancelled", "b@example.net": "queued"}
    assert [(type(event), event.recipient) for event in service.events] == [(MailCancelled, "a@example.net")]


@pytest.mark.parametrize("batches", [1, 2])
def test_a_cancellation_may_come_first(service: Service, batches: int) -> None:
    one = order()
    jobs = [cancel(f"id:{one.submission_id}"), job_of(one)]
    for batch in [jobs] if batches == 1 else [[job] for job in jobs]:
        service.take(*batch)
    (view,) = service.views
    assert (view.state, view.reason) == ("cancelled", "It was cancelled before it came.")


def test_a_mail_that_was_cancelled_before_it_came_is_never_due(service: Service) -> None:
    """Killed between its commit and its cancellation: it lies there until the job comes again, and no worker has it."""
    one = order()
    service.take(cancel(f"id:{one.submission_id}"))
    service.spool.operating.cancel = _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        service.take(one)
    assert [view.state for view in service.views] == ["queued"]
    assert service.views[0].due_us > AT_US
    assert service.spool.reading.overview().lanes[0].due == 0
    del service.spool.operating.cancel  # type: ignore[attr-defined]
    service.take(one)
    assert [view.state for view in service.views] == ["cancelled"]


def test_a_cancellation_that_comes_while_a_mail_is_stored_finds_it(service: Service) -> None:
    one, accept = order(), service.spool.intake.accept

    def accept_slowly(entries: object, **more: object) -> object:
        service.spool.tombstones.bury([one.submission_id])  # by another worker, after we had looked
        return accept(entries, **more)  # type: ignore[arg-type]

    service.spool.intake.accept = accept_slowly  # type: ignore[method-assign]
    service.take(one)
    assert [view.state for view in service.views] == ["cancelled"]


def test_one_single_mail_may_be_cancelled(service: Service) -> None:
    one = order(to=["a@example.net", "b@example.net"], per_recipient=True)  # type: ignore[arg-type]
    part = part_id(one.submission_id, parse_address("b@example.net"))
    service.take(cancel(f"id:{part}"), one)
    assert service.states == {"a@example.net": "queued", "b@example.net": "cancelled"}
    service.take(cancel(f"id:{one.submission_id}"))
    service.take(one)
    assert service.states == {"a@example.net": "cancelled", "b@example.net": "cancelled"}


def test_a_wider_scope_cancels_what_stands_and_nothing_later(service: Service) -> None:
    service.take(order("a@example.net", ticket="7"), cancel("ticket:7"), order("b@example.net", ticket="7"))
    assert service.states == {"a@example.net": "cancelled", "b@example.net": "queued"}


def test_a_wider_scope_that_comes_again_leaves_alone_what_came_since(service: Service) -> None:
    again = cancel("ticket:7")
    service.take(order("a@example.net", ticket="7"), again, order("b@example.net", ticket="7"))
    service.take(again)
    assert service.states == {"a@example.net": "cancelled", "b@example.net": "queued"}


def test_one_recipient_may_be_cancelled(service: Service) -> None:
    one = order(to=["a@example.net", "b@example.net"])  # type: ignore[arg-type]
    service.take(one, cancel(f"id:{one.submission_id}/1"))
    assert service.states == {"a@example.net": "queued", "b@example.net": "cancelled"}


# --- other orders -----------------------------------------------------------------------------------------------------------


def test_a_suppression_is_told_once(service: Service) -> None:
    job = job_of(SuppressOrder("gone@example.net", "desk", "They left.", until_us=AT_US + 10))
    for _ in range(2):
        assert dict(service.take(job).counts) == {"done": 1}
    (one,) = service.spool.reading.suppressions("gone@example.net")
    assert (one.cause, one.evidence, one.since_us, one.until_us) == ("host", "They left.", AT_US, AT_US + 10)
    assert len([row for row in service.spool.reading.log(since_us=0) if row.kind == "suppressed"]) == 1
    service.take(job_of(SuppressOrder("gone@example.net", "desk", "Back again.", lift=True)))
    assert list(service.spool.reading.suppressions("gone@example.net")) == []


def test_an_event_that_the_host_would_not_take_waits_and_is_told_again(service: Service) -> None:
    one = order()
    service.take(one)
    service.spool.operating.cancel(Scope.parse("all"), actor="ann", reason="")
    (item,) = service.spool.outbox.take(5, 60)
    service.spool.outbox.done([item])
    answer = job_of(answer_parcel(Answer(item.event.event_id, item.fence, "KeyError: 7"), AT_US))

    assert dict(service.take(answer, answer).counts) == {"done": 2}

    overview = service.spool.reading.overview()
    assert (overview.events_waiting, overview.events_dead) == (1, 0)


def test_a_word_on_an_event_that_nobody_knows_any_more_is_let_go(service: Service) -> None:
    answer = job_of(answer_parcel(Answer(uuid4(), 1, "late"), AT_US))
    assert dict(service.take(answer).counts) == {"done": 1}


def _killed(*args: object, **more: object) -> int:
    raise KeyboardInterrupt
