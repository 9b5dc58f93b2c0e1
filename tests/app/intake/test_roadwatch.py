"""What waits at the broker is noted for everybody, and what is wrong is told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ticketmail.adapters.memory import create as make_spool
from ticketmail.adapters.memory.broker import create
from ticketmail.app.observing import NullMeter
from ticketmail.app.usecases.report.models import Level
from ticketmail.app.usecases.report.roads import on_roads, roads_of
from ticketmail.app.usecases.roadwatch import RoadState, Roadwatch
from ticketmail.domain.errors import BrokerUnreachable
from ticketmail.domain.ports.queueing import EVENTS, SUBMIT, Broker, BrokerOptions, Job
from ticketmail.domain.ports.reading import Overview, WorkerView
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.sandbox import InlineThreads

FINE = RoadState()


class Alerts:
    """What is wrong now."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[str, str]] = {}

    async def occurred(self, name: str, *, level: str, title: str, text: str) -> None:
        self.open[name] = (level, text)

    async def over(self, name: str) -> None:
        self.open.pop(name, None)


class Gauges(NullMeter):
    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.values["/".join([name, *labels.values()])] = value


class Watched:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.broker: Broker = create(f"memory://{uuid4().hex}", BrokerOptions())
        self.spool: SpoolAdapter = make_spool("memory://", SpoolOptions(clock=self.clock))
        self.alerts, self.meter = Alerts(), Gauges()
        self.watch = self.make([SUBMIT, EVENTS])

    def make(self, queues: Sequence[str]) -> Roadwatch:
        book: Any = self.spool.worker_side().book
        alerts: Any = self.alerts
        return Roadwatch(broker=self.broker, queues=queues, book=book, alerts=alerts, meter=self.meter, threads=InlineThreads())

    @property
    def overview(self) -> Overview:
        return self.spool.reading.overview()


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_what_waits_is_noted_and_measured(watched: Watched) -> None:
    watched.broker.publish(SUBMIT, [Job("a", b"{}"), Job("b", b"{}")])
    await watched.watch.look()
    assert {road.queue: (road.waiting, road.at_us) for road in roads_of(watched.spool.reading)} == {
        SUBMIT: (2, watched.clock.now_us()), EVENTS: (0, watched.clock.now_us()),
    }  # fmt: skip
    assert watched.meter.values[f"broker_jobs_waiting/{SUBMIT}"] == 2


async def test_a_broker_that_cannot_be_asked_is_bad_as_long_as_the_look_is_young(watched: Watched) -> None:
    def depth(queue: str) -> int:
        raise BrokerUnreachable("connection refused")

    watched.broker.depth = depth  # type: ignore[method-assign]
    await watched.watch.look()
    roads = roads_of(watched.spool.reading)
    (first, *_) = on_roads(roads, watched.overview, [])
    assert (first.level, first.subject) == (Level.BAD, "broker")
    assert "connection refused" in first.text
    watched.clock.advance(600)
    assert list(on_roads(roads, watched.overview, [])) == []


async def test_alarms_open_and_end(watched: Watched) -> None:
    watched.broker.publish(SUBMIT, [Job("a", b"{}")])
    await watched.watch.look()
    now_us = watched.clock.now_us()
    ill = replace(watched.overview, jobs_parked=3, events_waiting=5, events_dead=1, oldest_event_us=now_us - 700_000_000)
    await watched.watch.alarm(ill, RoadState(121.0, "no route to the broker", 900.0, "no confirm"))
    assert watched.alerts.open.keys() == {"intake-stands", "intake-late", "jobs-parked", "events-late", "events-dead"}
    assert watched.alerts.open["intake-stands"] == ("page", "For 2 minutes: no route to the broker")
    assert watched.meter.values["intake_up"] == 0
    await watched.watch.alarm(watched.overview, FINE)
    assert watched.alerts.open == {}
    assert watched.meter.values["intake_up"] == 1


async def test_a_short_outage_and_an_old_batch_with_nothing_behind_it_are_no_alarm(watched: Watched) -> None:
    await watched.watch.look()
    await watched.watch.alarm(watched.overview, RoadState(30.0, "away", 900.0))
    assert watched.alerts.open == {}


def test_a_worker_that_takes_nothing_in_is_bad(watched: Watched) -> None:
    worker = WorkerView(uuid4(), "h", 1, "1", 0, 0, True, None, {"intake": {"trouble": "the spool is full", "lag_s": 0}})
    (finding,) = on_roads((), watched.overview, [worker])
    assert (finding.level, "the spool is full" in finding.text) == (Level.BAD, True)
    assert list(on_roads((), watched.overview, [replace(worker, alive=False)])) == []
