"""How fast a host hears: mail events that wait on a broker, into ``mail.listen``, each acknowledged after its handler.

    scripts/services run -- .venv/bin/python benchmarks/roads_listen.py [--events 2000] [--rounds 3]

RabbitMQ and Redis as real servers; SQS by moto's server and Kafka by librdkafka's mock cluster, both in this process: these two
show that nothing waits for a clock, no more. The handler does nothing, as sync and as async one. A figure is the median of the
rounds. Fails below 200 events a second on a real server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos.table import table
from ticketmail import MailSent, TicketMail
from ticketmail.app.usecases.publish import Mailbag
from ticketmail.app.wiring.brokering import broker_of
from ticketmail.domain.ports.telling import OutboxItem

FLOOR = 200
CHUNK = 200


def main() -> int:
    """Measure; the exit code tells whether every real server was fast enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    met = True
    for name, variable in (("RabbitMQ", "TICKETMAIL_TEST_RABBITMQ"), ("Redis", "TICKETMAIL_TEST_REDIS")):
        if url := os.environ.get(variable):
            met &= min(measured(name, {"url": url}, options)) >= FLOOR
        else:
            sys.stdout.write(f"{name}: left out, {variable} names no server\n")
    with played_sqs() as url:
        few = argparse.Namespace(events=options.events // 10, rounds=1)  # moto looks through all jobs for each ten
        measured("SQS (moto)", {"url": url, "options": {"is_secure": "false"}}, few)
    with played_kafka() as url:
        measured("Kafka (mock cluster)", {"url": url, "lease": 6}, options)
    return 0 if met else 1


def measured(name: str, broker: dict[str, Any], options: argparse.Namespace) -> tuple[float, float]:
    """Events a second: sync handler, async handler."""
    rates = {"sync": list[float](), "async": list[float]()}
    for _ in range(options.rounds):
        for how, found in rates.items():
            road = {"broker": broker | {"prefix": f"b{uuid.uuid4().hex[:8]}"}}
            with TicketMail(settings=road) as mail:
                publish(mail, options.events)
                found.append((heard if how == "sync" else aheard)(mail, options.events))
    medians = {how: statistics.median(found) for how, found in rates.items()}
    sys.stdout.write(table(f"{name}: listening", {f"{how} handler": f"{rate:.0f}/s" for how, rate in medians.items()}) + "\n")
    return medians["sync"], medians["async"]


def publish(mail: TicketMail, count: int) -> None:
    """So many events wait on the broker."""
    broker = broker_of(mail.settings)
    bag = Mailbag(broker, secret=None, now_us=lambda: 1)
    for start in range(0, count, CHUNK):
        events = [_event(number) for number in range(start, min(count, start + CHUNK))]
        bag.tell([OutboxItem(one, 1, 1) for one in events])
    broker.close()


def _event(number: int) -> MailSent:
    return MailSent(
        event_id=uuid.uuid4(),
        at_us=1,
        submission_id=uuid.uuid4(),
        recipient="ann@example.net",
        key=f"note-{number}",
        ticket="4711",
    )


class Ear:
    """Counts keys from the first event on: the time to join is not counted. ``stop`` is set with the last one."""

    def __init__(self, count: int, stop: threading.Event | asyncio.Event) -> None:
        self._count, self._stop = count, stop
        self._keys = set[str]()
        self._began_s = self._ended_s = 0.0

    def hear(self, event: Any) -> None:
        """One event."""
        self._began_s = self._began_s or time.perf_counter()
        self._keys.add(event.key)
        if len(self._keys) == self._count:
            self._ended_s = time.perf_counter()
            self._stop.set()

    @property
    def rate(self) -> float:
        """Events a second."""
        return self._count / (self._ended_s - self._began_s)


def heard(mail: TicketMail, count: int) -> float:
    """Events a second into a sync handler."""
    stop = threading.Event()
    ear = Ear(count, stop)
    mail.listen(ear.hear, stop=stop)
    return ear.rate


def aheard(mail: TicketMail, count: int) -> float:
    """Events a second into an async handler."""

    async def listen() -> float:
        stop = asyncio.Event()
        ear = Ear(count, stop)

        async def handler(event: Any) -> None:
            ear.hear(event)

        await mail.alisten(handler, stop=stop)
        return ear.rate

    return asyncio.run(listen())


@contextlib.contextmanager
def played_sqs() -> Iterator[str]:
    """moto's server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"sqs://test:test@{host}:{port}/"
    server.stop()


@contextlib.contextmanager
def played_kafka() -> Iterator[str]:
    """librdkafka's mock cluster."""
    import confluent_kafka

    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    yield f"confluentkafka://{broker.host}:{broker.port}/"
    del cluster


if __name__ == "__main__":
    sys.exit(main())
