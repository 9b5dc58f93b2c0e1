"""Senders are lent and thrown away; an error says whether a job may be stored all the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ticketmail.adapters.kombu.broker import KombuBroker
from ticketmail.adapters.kombu.parts import Sender, Source
from ticketmail.domain.errors import BrokerBlocked, BrokerError, BrokerFull, BrokerRefused, BrokerUnreachable
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job

ONE, TWO = [Job("a", b"{}")], [Job("a", b"{}"), Job("b", b"{}")]


class Scripted:
    """A technology whose connections and sends end as the script says; None is well."""

    capabilities = BrokerCapabilities(
        at_least_once=True, survives_restart=True, max_job_bytes=None, redelivers_at_once=True, bounded=True
    )

    def __init__(self, connects: Sequence[BrokerError | None], sends: Sequence[BrokerError | None]) -> None:
        self.connects, self.sends = list(connects), list(sends)
        self.closed = 0

    def open_sender(self) -> Sender:
        error = self.connects.pop(0) if self.connects else None
        if error is not None:
            raise error
        return self  # type: ignore[return-value]

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        error = self.sends.pop(0) if self.sends else None
        if error is not None:
            raise error

    def close(self) -> None:
        self.closed += 1

    def open_source(self, queue: str, prefetch: int) -> Source:
        raise NotImplementedError

    def depth(self, queue: str) -> int | None:
        return None

    def ensure(self, queue: str) -> Sequence[str]:
        return ()


def failed(technology: Scripted, jobs: Sequence[Job], *, warm: bool = False) -> BrokerError:
    broker = KombuBroker(technology, BrokerOptions())
    if warm:
        broker.publish("jobs", ONE)
    with pytest.raises(BrokerError) as caught:
        broker.publish("jobs", jobs)
    return caught.value


@pytest.mark.parametrize(
    ("error", "jobs", "in_doubt"),
    [
        (BrokerUnreachable("cut"), ONE, True),
        (BrokerBlocked("alarm"), ONE, True),
        (BrokerFull("full"), ONE, False),
        (BrokerRefused("no queue"), ONE, False),
        (BrokerFull("full"), TWO, True),
    ],
)
def test_what_was_written_and_not_refused_may_be_stored(error: BrokerError, jobs: Sequence[Job], in_doubt: bool) -> None:
    assert failed(Scripted([], [error]), jobs).in_doubt is in_doubt


@pytest.mark.parametrize(
    ("error", "closed"), [(BrokerUnreachable("cut"), 1), (BrokerRefused("right"), 1), (BrokerFull("full"), 0)]
)
def test_a_failed_connection_is_kept_only_where_all_its_answers_came(error: BrokerError, closed: int) -> None:
    technology = Scripted([], [error])
    failed(technology, ONE)

    assert technology.closed == closed


def test_without_a_connection_nothing_is_stored() -> None:
    assert not failed(Scripted([BrokerUnreachable("away")], []), ONE).in_doubt


def test_what_a_dead_connection_swallowed_may_be_stored() -> None:
    technology = Scripted([None, BrokerUnreachable("away")], [None, BrokerUnreachable("cut")])

    assert failed(technology, ONE, warm=True).in_doubt


def test_a_dead_connection_is_replaced_once_and_all_is_published_again() -> None:
    technology = Scripted([], [None, BrokerUnreachable("cut"), None])
    broker = KombuBroker(technology, BrokerOptions())
    broker.publish("jobs", ONE)
    broker.publish("jobs", ONE)

    assert (technology.sends, technology.closed) == ([], 1)


def test_past_its_time_nothing_is_tried_again() -> None:
    technology = Scripted([], [None, BrokerUnreachable("cut")])
    broker = KombuBroker(technology, BrokerOptions(connect_timeout_s=0.0, confirm_timeout_s=0.0))
    broker.publish("jobs", ONE)
    with pytest.raises(BrokerUnreachable):
        broker.publish("jobs", ONE)
    assert technology.sends == []
