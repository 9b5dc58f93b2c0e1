"""Intake beside the drain: one worker takes jobs from a broker into its spool while it sends what is there.

    scripts/services run -- .venv/bin/python benchmarks/intake.py [--mails 6000] [--spool sqlite|postgresql] [--least 1.5]

A backlog waits in the spool and as many jobs at the broker when the worker starts. ``null://`` takes each mail at once, so the
drain runs as fast as it can: first alone, then with intake beside it. Measured by the spool's own books, until the last job is
in: how many came in, how many went out, and the ratio. Above 1 the broker never fills up because of us. Prints a table for each
broker that runs; the exit code tells whether each reached ``--least``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos.harness import Child, until
from chaos.road import RoadSite
from chaos.submitter import submission
from chaos.table import table
from ticketmail import DeliveryState, TicketMail

BROKERS = {"rabbitmq": "TICKETMAIL_TEST_RABBITMQ", "redis": "TICKETMAIL_TEST_REDIS"}
_LOOK_S = 0.1
_ALONE_S = 4.0


class Server:
    """A broker that nobody hits."""

    def __init__(self, url: str) -> None:
        self.url = url


def main() -> int:
    """Measure each broker once; the exit code tells whether the aim was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=6000, help="jobs at the broker, and mails in the spool")
    parser.add_argument("--spool", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--least", type=float, default=1.5, help="the ratio that is still well")
    options = parser.parse_args()
    ratios = []
    for name, variable in BROKERS.items():
        if variable not in os.environ:
            print(f"{name}: no server; start it with scripts/services", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as directory, _spool(options.spool, directory) as spool:
            ratios.append(
                _measure(name, RoadSite(Path(directory) / "site", spool, Server(os.environ[variable]), 1), options.mails)
            )
    return 0 if ratios and min(ratios) >= options.least else 1


def _measure(name: str, site: RoadSite, mails: int) -> float:
    with site:
        with TicketMail(settings=site.host_settings) as host:
            began = time.monotonic()
            host.submit_many([submission("job", number) for number in range(mails)])
            handed_s = time.monotonic() - began
        with site.mail() as mail:
            mail.submit_many([submission("backlog", number) for number in range(mails)])
            alone = _drain_alone(site, mail)
            site.workers[0].start()
            until(lambda: _stored(mail) > mails, 30, "the worker takes in", _LOOK_S)
            before, sent_before, began = _stored(mail), _sent(mail), time.monotonic()
            until(lambda: _stored(mail) == 2 * mails, 600, "all jobs are in the spool", _LOOK_S)
            seconds, taken, sent = time.monotonic() - began, _stored(mail) - before, _sent(mail) - sent_before
        site.workers[0].stop()
    ratio = taken / max(1, sent)
    rows: dict[str, object] = {
        "handed over to the broker, in batches": f"{mails / handed_s:.0f}/s",
        "taken in": f"{taken} in {seconds:.1f} s, {taken / seconds:.0f}/s",
        "sent beside it": f"{sent}, {sent / seconds:.0f}/s (without intake {alone:.0f}/s)",
        "ratio": f"{ratio:.2f}",
    }
    print(table(f"{name}, {site.spool_url.partition(':')[0]}", rows))
    return ratio


def _drain_alone(site: RoadSite, mail: TicketMail) -> float:
    """Mails a second, for some seconds, of a worker that takes nothing in."""
    command = [sys.executable, "-m", "ticketmail", "--settings", str(site.settings), "worker"]
    worker = Child("alone", command, site.directory / "alone.log", {"TICKETMAIL_BROKER__URL": "memory://nobody"})
    worker.start()
    until(lambda: _sent(mail) > 0, 30, "the worker sends", _LOOK_S)
    before, began = _sent(mail), time.monotonic()
    time.sleep(_ALONE_S)
    sent, seconds = _sent(mail) - before, time.monotonic() - began
    worker.stop()
    return sent / seconds


def _stored(mail: TicketMail) -> int:
    return sum(mail.reading.overview().counts.values())


def _sent(mail: TicketMail) -> int:
    return mail.reading.overview().counts.get(DeliveryState.SENT, 0)


@contextmanager
def _spool(kind: str, directory: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{directory}/spool.db"
        return
    import psycopg

    server = os.environ["TICKETMAIL_TEST_POSTGRESQL"]
    name = f"bench_{os.getpid()}_{time.time_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    sys.exit(main())
