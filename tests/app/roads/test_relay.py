"""The relay: from a host's outbox to the broker, whatever either of them does in between."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from ticketmail.adapters.sql.road import create_outbox
from ticketmail.app.observing import NullMeter
from ticketmail.app.usecases.relay import COUNT_S, REMIND_S, Relay, RelayRules
from ticketmail.domain.errors import BrokerError, BrokerUnreachable
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.queueing import BrokerCapabilities, Job
from ticketmail.domain.ports.relaying import HostOutbox, HostOutboxOptions
from ticketmail.testing.spool_contract.kit import ContractClock

SECOND = 1_000_000
LEASE_S = RelayRules().lease_s


class Flaky:
    """A broker that answers as it is told, and then takes everything. ``max_job_bytes`` 100."""

    capabilities = BrokerCapabilities(
        at_least_once=True, survives_restart=True, max_job_bytes=100, redelivers_at_once=True, bounded=True
    )

    def __init__(self) -> None:
        self.answers: list[BrokerError | None] = []
        self.kept: list[str] = []
        self.empty = threading.Event()

    def publish(self, queue: str, jobs: Sequence[Job]) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.kept += [job.body.decode() for job in jobs]


class World:
    """An outbox, a broker, a relay between them, and time that goes on when a test says so."""

    def __init__(self, folder: Path, rules: RelayRules) -> None:
        self.clock = ContractClock()
        self.outbox: HostOutbox = create_outbox(f"sqlite:///{folder}/outbox.db", HostOutboxOptions(clock=self.clock))
        self.broker = Flaky()
        self.told: list[Alert] = []
        self.relay = self.another(rules)

    def another(self, rules: RelayRules) -> Relay:
        return Relay(
            self.outbox,
            self.broker,  # type: ignore[arg-type]
            rules=rules,
            clock=self.clock,
            tell=self.told.append,
            meter=NullMeter(),
            chance=lambda: 0.5,
        )

    def put(self, *texts: str) -> None:
        self.outbox.put([Job(uuid.uuid4().hex, text.encode()) for text in texts])

    def drain(self) -> None:
        self.relay.run(threading.Event(), until_empty=True)


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[[RelayRules], World]]:
    with ExitStack() as made:

        def make(rules: RelayRules) -> World:
            world = World(tmp_path, rules)
            made.callback(world.outbox.close)
            return world

        yield make


@pytest.fixture
def world(make_world: Callable[[RelayRules], World]) -> World:
    return make_world(RelayRules())


def test_what_waits_is_published_in_order_and_forgotten(world: World) -> None:
    world.put(*(str(n) for n in range(450)))
    world.drain()

    assert world.broker.kept == [str(n) for n in range(450)]
    assert world.outbox.is_empty()


def test_what_was_not_confirmed_waits_and_is_published_again(world: World) -> None:
    world.put("a", "b")
    world.broker.answers = [BrokerUnreachable("cut")]
    with pytest.raises(BrokerUnreachable):
        world.relay.once()
    assert world.outbox.backlog().waiting == 2

    world.drain()
    assert world.broker.kept == ["a", "b"]


def test_a_relay_that_died_after_the_confirm_publishes_again(world: World) -> None:
    """The mail service knows the job by its id."""
    world.put("a")
    world.outbox.take(10, LEASE_S)
    world.clock.go(int(LEASE_S + 1) * SECOND)
    world.drain()

    assert world.broker.kept == ["a"]


def test_one_that_the_broker_would_never_take_is_told_and_holds_nobody_up(world: World) -> None:
    world.put("a", "x" * 101, "b")
    world.relay.once()

    assert world.broker.kept == ["a", "b"]
    assert "101 bytes, more than the 100" in world.outbox.backlog().error


def test_without_the_services_word_a_job_is_published_again(make_world: Callable[[RelayRules], World]) -> None:
    world = make_world(RelayRules(word_s=600))
    world.put("a")
    world.relay.once()
    world.relay.once()
    assert world.broker.kept == ["a"]

    world.clock.go(601 * SECOND)
    world.relay.once()
    assert world.broker.kept == ["a", "a"]


def test_in_order_a_second_relay_waits_for_the_first(make_world: Callable[[RelayRules], World]) -> None:
    world = make_world(RelayRules(in_order=True))
    world.put("a", "b")
    world.outbox.take(1, LEASE_S, in_order=True)

    assert world.another(RelayRules(in_order=True)).once() == 0
    assert world.broker.kept == []


def looks(world: World, *, trouble: str = "") -> None:
    """The relay's own look at its backlog, ten seconds later."""
    world.clock.go(int(COUNT_S + 1) * SECOND)
    world.relay._watch.look(trouble)


def test_an_old_job_is_an_alarm_once_and_again_after_an_hour(world: World) -> None:
    world.put("a")
    looks(world)
    assert world.told == []
    world.clock.go(60 * SECOND)
    looks(world, trouble="The broker does not answer.")
    looks(world)

    (alert,) = world.told
    assert (alert.level, alert.resolved) == ("page", False)
    assert "1 mails wait in the host's outbox" in alert.title
    assert "The broker does not answer." in alert.text
    world.clock.go(int(REMIND_S) * SECOND)
    looks(world)
    assert len(world.told) == 2


def test_the_alarm_is_over_when_nothing_old_waits(world: World) -> None:
    world.put("a")
    world.clock.go(120 * SECOND)
    looks(world)
    world.drain()

    assert [alert.resolved for alert in world.told] == [False, True]
    assert world.told[1].since_us == world.told[0].since_us


def test_it_ends_when_it_is_told_to(world: World) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=world.relay.run, args=[stop])
    thread.start()
    stop.set()
    thread.join(30)

    assert not thread.is_alive()
