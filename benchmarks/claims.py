"""What a claim costs beside a backlog: claims of ten mails while 100,000 wait, of fifty tenants, one of which has most.

    scripts/services run -- .venv/bin/python benchmarks/claims.py [--waiting 100000] [--tenants 50] [--claims 200]

On SQLite, and on the servers that ``eval "$(scripts/services env)"`` names. Each claim is given back. Milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos.databases import connect, run
from ticketmail.adapters.sql import create
from ticketmail.domain.ports.delivering import Fenced, Want, WorkerInfo
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.spool_contract.kit import HOUR, entry

_BATCH = 2000
_SERVERS = {"PostgreSQL": "TICKETMAIL_TEST_POSTGRESQL", "MariaDB": "TICKETMAIL_TEST_MARIADB"}


def main() -> None:
    """Measure each database that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--claims", type=int, default=200)
    options = parser.parse_args()
    print(f"| claims of 10 of {options.waiting:,} waiting, {options.tenants} tenants | p50 ms | p99 ms | longest ms |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        _measure("SQLite", f"sqlite:///{directory}/spool.db", options)
    for name, variable in _SERVERS.items():
        if os.environ.get(variable):
            with _database(os.environ[variable]) as url:
                _measure(name, url, options)


def _measure(name: str, url: str, options: argparse.Namespace) -> None:
    spool = create(url, SpoolOptions(site="bench"))
    for number in range(0, options.waiting, _BATCH):
        tenants = (f"t{at % options.tenants}" if at % 20 == 0 else "flood" for at in range(number, number + _BATCH))
        spool.intake.accept([entry(f"u{at}@example.net", tenant=one, lifetime_us=99 * HOUR) for at, one in enumerate(tenants)])
    took = sorted(asyncio.run(_claims(spool, options.claims)))
    print(f"| {name} | {_part(took, 0.5):.1f} | {_part(took, 0.99):.1f} | {took[-1]:.1f} |", flush=True)
    spool.close()


async def _claims(spool: SpoolAdapter, count: int) -> list[float]:
    side = spool.worker_side()
    worker = (await side.workers.register(WorkerInfo("host", os.getpid(), "1.0", "bench"))).worker_id
    took = []
    for _ in range(count):
        began = time.perf_counter()
        mails = await side.deliveries.claim(worker, [Want("main", "reply", 10)])
        took.append((time.perf_counter() - began) * 1e3)
        claims = [Fenced(mail.submission_id, one.number, one.fence) for mail in mails for one in mail.deliveries]
        assert len(claims) == 10
        await side.deliveries.release(worker, claims)
    await side.aclose()
    return took


def _part(took: list[float], part: float) -> float:
    return took[min(len(took) - 1, int(len(took) * part))]


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"bench_{uuid.uuid4().hex}"
    with contextlib.closing(connect(server)) as connection:
        if server.startswith("postgres"):
            connection.autocommit = True
        run(connection, f"CREATE DATABASE {name}")
        yield f"{server.rpartition('/')[0]}/{name}"
        run(connection, f"DROP DATABASE {name}" + (" WITH (FORCE)" if server.startswith("postgres") else ""))


if __name__ == "__main__":
    main()
