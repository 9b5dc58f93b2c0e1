"""How fast a host hands over to a broker, beside the broker's bare client in the same run.

    scripts/services run -- .venv/bin/python benchmarks/roads_submit.py [--mails 300] [--batch 2000] [--rounds 7]

RabbitMQ: ``submit`` one by one and ``submit_many`` beside kombu's ``confirm_publish`` to a quorum queue, one by one. Redis:
beside ``dramatiq``'s enqueue (installed for this alone: ``pip install dramatiq``; left out, visibly, without it). Bodies of a
kilobyte. Each round measures all of them in turn; a figure is the median of the rounds' ratios. Fails if an aim is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos.table import table
from ticketmail import Message, Submission, TicketMail

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way. " * 85)
BODY = b"x" * 1200

#: What is measured: does so many, once.
Run = Callable[[int], object]


def main() -> int:
    """Measure; the exit code tells whether every aim was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=300, help="one by one, in each round")
    parser.add_argument("--batch", type=int, default=2000, help="in one submit_many, in each round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    met = [
        measured("RabbitMQ", "TICKETMAIL_TEST_RABBITMQ", confirm_publish, (0.8, 3.0), options),
        measured("Redis", "TICKETMAIL_TEST_REDIS", dramatiq_enqueue, (0.5, 1.0), options),
    ]
    return 0 if all(met) else 1


def measured(
    name: str,
    variable: str,
    bare: Callable[[str], contextlib.AbstractContextManager[Run | None]],
    aims: tuple[float, float],
    options: argparse.Namespace,
) -> bool:
    """One broker. True if its aims were met, or it could not be measured."""
    url = os.environ.get(variable)
    if not url:
        sys.stdout.write(f"{name}: left out, {variable} names no server\n")
        return True
    with bare(url) as peer, TicketMail(broker={"url": url, "prefix": f"b{uuid.uuid4().hex[:8]}"}) as mail:
        if peer is None:
            sys.stdout.write(f"{name}: left out, its peer is not installed\n")
            return True
        return _told(name, peer, mail, aims, options)


def _told(name: str, peer: Run, mail: TicketMail, aims: tuple[float, float], options: argparse.Namespace) -> bool:
    runs: dict[str, tuple[Run, int]] = {
        "peer, one by one": (peer, options.mails),
        "submit, one by one": (lambda count: [mail.submit(NOTE) for _ in range(count)], options.mails),
        "submit_many": (lambda count: mail.submit_many([Submission(message=NOTE) for _ in range(count)]), options.batch),
    }
    for run, _ in runs.values():
        run(50)
    rounds = [{what: _rate(run, count) for what, (run, count) in runs.items()} for _ in range(options.rounds)]
    ratios = {what: statistics.median(one[what] / one["peer, one by one"] for one in rounds) for what in runs}
    rates = {what: statistics.median(one[what] for one in rounds) for what in runs}
    wanted = dict(zip(list(runs)[1:], aims, strict=True))
    rows = {what: f"{ratios[what]:.2f} x ({rates[what]:.0f}/s)" + _aim(ratios[what], wanted.get(what)) for what in runs}
    sys.stdout.write(f"{table(f'{name}: handing over', rows)}\n")
    return all(ratios[what] >= aim for what, aim in wanted.items())


def _aim(ratio: float, aim: float | None) -> str:
    return "" if aim is None else f", aim {aim:g} x{'' if ratio >= aim else ': MISSED'}"


def _rate(run: Run, count: int) -> float:
    began_s = time.perf_counter()
    run(count)
    return count / (time.perf_counter() - began_s)


@contextlib.contextmanager
def confirm_publish(url: str) -> Iterator[Run | None]:
    """kombu's own: each publish waits for its confirm."""
    from kombu import Connection

    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        queue = f"bare{uuid.uuid4().hex[:8]}"
        channel = connection.default_channel
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        producer = connection.Producer()

        def run(count: int) -> None:
            for _ in range(count):
                producer.publish(BODY, routing_key=queue, delivery_mode=2, content_type="application/json")

        yield run
        channel.queue_delete(queue)


@contextlib.contextmanager
def dramatiq_enqueue(url: str) -> Iterator[Run | None]:
    """dramatiq's ``actor.send`` to its Redis broker."""
    if importlib.util.find_spec("dramatiq") is None:
        yield None
        return
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=url, namespace=f"bare{uuid.uuid4().hex[:8]}")
    dramatiq.set_broker(broker)

    @dramatiq.actor
    def send(text: str) -> None:
        """Never run here."""

    text = BODY.decode()
    yield lambda count: [send.send(text) for _ in range(count)]
    broker.close()


if __name__ == "__main__":
    sys.exit(main())
