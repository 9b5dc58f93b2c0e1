"""What cannot be taken in is parked with its bytes, told to the host where it can be, and holds nobody up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.intake.kit import AT_US, SECRET, Service, job_of, order
from ticketmail import TicketMail
from ticketmail.domain.errors import (
    InvalidMessage,
    SpoolBusy,
    SpoolError,
    SpoolFull,
    SpoolUnreachable,
    SubmitInDoubt,
    TicketmailError,
)
from ticketmail.domain.event_job import Unreadable, unreadable_parcel
from ticketmail.domain.events import MailRefused
from ticketmail.domain.job import Parcel, SubmitOrder, payload_of
from ticketmail.domain.ports.accepting import Entry
from ticketmail.domain.ports.queueing import Job

GOOD = "good@example.net"


def _raw(**changes: Any) -> Job:
    whole = {"v": 1, "kind": "submit", "id": uuid4().hex, "at_us": AT_US, "payload": payload_of(order()), **changes}
    return Job("j", json.dumps(whole).encode())


def _nested(depth: int) -> Any:
    found: Any = "x"
    for _ in range(depth):
        found = [found]
    return found


POISON = [
    (Job("j", b"\xff\x00 not JSON"), "invalid-job"),
    (Job("j", b""), "invalid-job"),
    (Job("j", b"[" * 100_000), "invalid-job"),
    (_raw(v=99), "invalid-job"),
    (_raw(kind="dance"), "invalid-job"),
    (_raw(kind="event"), "invalid-job"),
    (_raw(id="x"), "invalid-job"),
    (_raw(payload={}), "invalid-message"),
    (_raw(payload={"message": {"text": _nested(400)}}), "invalid-job"),
    (Job("j", _raw().body.replace(b'"payload"', b'"x":' + b"9" * 5000 + b',"payload"')), "invalid-job"),
    (_raw(payload={"message": {"sender": "help@example.com", "to": "nobody", "text": "x"}}), "invalid-job"),
    (_raw(kind="cancel", payload={"scope": "id:not-a-uuid", "actor": "a", "reason": "r"}), "invalid-job"),
    (_raw(kind="suppress", payload={"address": "no", "actor": "a", "reason": "r"}), "invalid-job"),
    (_raw(kind="suppress", payload={"address": "a@example.net", "actor": "a", "reason": "r"}, at_us=10**30), "invalid-job"),
    (_raw(kind="answer", payload={"event": 7}), "invalid-job"),
    (job_of(order(lane="no-such-lane")), "invalid-submission"),
    (job_of(order(key="k", ident=UUID(int=7))), "invalid-submission"),
    (job_of(order(ticket="x" * 300)), "invalid-submission"),
]


@pytest.mark.parametrize(("job", "cause"), POISON)
def test_a_poisonous_job_is_parked_with_its_bytes_and_holds_nobody_up(service: Service, job: Job, cause: str) -> None:
    taken = service.take(order(GOOD), job, order("also@example.net"))

    (parked,) = service.parked
    assert (parked.body, parked.cause, parked.job_id) == (job.body, cause, job.job_id)
    assert parked.reason
    assert taken.counts["parked"] == 1
    assert {GOOD, "also@example.net"} <= service.states.keys()


def test_with_a_secret_only_signed_jobs_are_taken(mail: TicketMail) -> None:
    service = Service(mail, secrets=[SECRET])
    one = order(GOOD)
    service.take(job_of(one, secret=SECRET), job_of(order()), job_of(order(), secret=b"x" * 32))
    assert list(service.states) == [GOOD]
    assert {parked.reason.partition(".")[0] for parked in service.parked} == {
        "The job is not signed", "The job's signature is wrong",
    }  # fmt: skip


def test_a_key_with_other_content_is_parked_and_the_host_is_told(service: Service) -> None:
    first = order(GOOD, key="k", ticket="7", tenant="acme")
    other = order(GOOD, key="k", ticket="7", tenant="acme", text="Something else.")
    service.take(first)

    assert dict(service.take(other).counts) == {"parked": 1}

    (parked,), (event,) = service.parked, service.events
    assert (parked.cause, parked.kind) == ("key-reused", "submit")
    assert isinstance(event, MailRefused)
    assert (event.submission_id, event.recipient, event.cause, event.key, event.ticket, event.tenant) == (
        first.submission_id, GOOD, "key-reused", "k", "7", "acme",
    )  # fmt: skip
    assert service.states == {GOOD: "queued"}


def test_the_host_is_told_once_however_often_it_comes(service: Service) -> None:
    bad = order(lane="no-such-lane")
    for _ in range(3):
        service.take(bad)
    assert len(service.events) == 1
    assert [parked.times for parked in service.parked] == [3]


def test_a_lone_surrogate_in_a_job_stops_nothing(service: Service) -> None:
    payload = payload_of(order()) | {"submission": {"ticket": "\ud800", "lane": "\ud800", "key": "k\ud800"}}
    job = _raw(payload=payload)
    assert dict(service.take(job).counts) == {"parked": 1}
    assert service.events[0].lane == "?"


def test_what_the_host_could_not_read_is_parked_here(service: Service) -> None:
    """A host without a spool has no place of its own for dead letters."""
    service.take(job_of(unreadable_parcel(Unreadable(b"\xff garbage", "The job is not JSON."), AT_US)))
    (parked,) = service.parked
    assert (parked.body, parked.queue, parked.cause) == (b"\xff garbage", "events", "unreadable-event")


def test_content_that_is_gone_is_parked_and_a_store_that_is_away_is_waited_for(mail: TicketMail) -> None:
    def gone(order: SubmitOrder) -> SubmitOrder:
        raise InvalidMessage("is gone.", field="message.attachments[0]")

    def away(order: SubmitOrder) -> SubmitOrder:
        raise ConnectionError("no route to the store")

    assert dict(Service(mail, whole=gone).take(order()).counts) == {"parked": 1}
    with pytest.raises(ConnectionError):
        Service(mail, whole=away).take(order())
    assert mail.spool.parking.waiting() == 1


SICK = [
    SpoolBusy("busy"),
    SpoolFull("full"),
    SpoolUnreachable("away"),
    SubmitInDoubt("lost", retry=lambda: None),
]


@pytest.mark.parametrize("error", SICK, ids=lambda error: type(error).__name__)
def test_a_sick_spool_parks_nothing_and_acknowledges_nothing(service: Service, error: TicketmailError) -> None:
    def accept(entries: Sequence[Entry], **more: object) -> object:
        raise error

    service.spool.intake.accept = accept  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        service.take(order(), order())
    assert service.parked == []


@pytest.mark.parametrize("error", [SpoolError("value too long"), OverflowError("int too big")])
def test_a_mail_that_the_spool_cannot_store_is_found_among_the_others(service: Service, error: Exception) -> None:
    bad, accept = order("bad@example.net"), service.spool.intake.accept

    def accept_most(entries: Sequence[Entry], **more: Any) -> object:
        if any(entry.recipients == ("bad@example.net",) for entry in entries):
            raise error
        return accept(entries, **more)

    service.spool.intake.accept = accept_most  # type: ignore[method-assign, assignment]
    taken = service.take(order("a@example.net"), bad, order("b@example.net"))

    assert dict(taken.counts) == {"accepted": 2, "parked": 1}
    assert sorted(service.states) == ["a@example.net", "b@example.net"]
    assert [parked.job_id for parked in service.parked] == [bad.submission_id.hex]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    payload=st.dictionaries(
        st.sampled_from(["message", "submission", "scope", "address", "event", "fence", "error", "body", "confirm", "lift"]),
        json_values,
        max_size=5,
    ),
    kind=st.sampled_from(["submit", "cancel", "suppress", "answer", "event", "spooled"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_comes_is_taken_in_or_parked(payload: dict[str, Any], kind: Any) -> None:
    with TicketMail(spool="memory://", accounts={"support": "null://"}, settings={}) as mail:
        service = Service(mail)
        taken = service.take(job_of(Parcel(kind, uuid4(), AT_US, payload)), order(GOOD))
        assert sum(taken.counts.values()) == 2
        assert service.states == {GOOD: "queued"}
