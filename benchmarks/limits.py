"""Limits that nobody told the workers: how much of what the mail server allows is used, and at what price.

    python benchmarks/limits.py --virtual [--short] [--only PART ...] [--rates 2 30 200] [--workers 1 4] [--json FILE]
    scripts/services run -- python benchmarks/limits.py --short --parallel 4 --rates 2 30

Counted at the server in minutes 2 to 10 from the first mail on (--short: seconds 40 to 160). Exit code 1: a goal was missed.
Without --virtual: real worker processes, SMTP on loopback, SQLite for one worker and PostgreSQL for several, in real time.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path

import limits_real
import limits_virtual
from limits_scenarios import FULL, SHORT, Result, quotas, scenarios
from limits_site import SERVER
from limits_table import line, put, table


def main() -> int:
    """Run what is asked for; a line for each as it comes, the table at the end."""
    parser = _parser()
    options = parser.parse_args()
    if not options.virtual and max(options.workers) > 1 and SERVER not in os.environ:
        parser.error(f"several workers need PostgreSQL: scripts/services run -- ..., or set {SERVER}")
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    results: list[Result] = []
    for result in _results(_runs(options), options.parallel):
        results.append(result)
        print(line(result), flush=True)
        if options.json:
            Path(options.json).write_text(json.dumps([one.to_json() for one in results]))
    results.sort(key=lambda one: (one.scenario, one.workers))
    text = f"{table(results)}\n\n{sum(not one.missed for one in results)} of {len(results)} runs meet all goals."
    print(f"\n{text}")
    if options.page:
        put(Path(options.page), "virtual" if options.virtual else "real", text)
    return int(any(one.missed for one in results))


def _runs(options: argparse.Namespace) -> list[Callable[[], Result]]:
    span = SHORT if options.short else FULL
    every = [*scenarios(options.rates), *quotas(virtual=options.virtual)]
    chosen = [one for one in every if not options.only or any(part in one.name for part in options.only)]
    cases = [(scenario, workers, scenario.span or span) for scenario in chosen for workers in options.workers]
    if options.virtual:
        return [partial(limits_virtual.run, *case, seed=options.seed) for case in cases]
    return [partial(limits_real.run, *case) for case in cases]


def _results(runs: list[Callable[[], Result]], parallel: int) -> Iterator[Result]:
    """As they end. Each has a process of its own, whose memory goes with it. Who is interrupted ends them, and they their own."""
    apart = get_context("spawn")
    with ProcessPoolExecutor(parallel, apart, _apart, max_tasks_per_child=1) as pool:
        try:
            for future in as_completed([pool.submit(run) for run in runs]):
                yield future.result()
        except SystemExit as end:
            pool.shutdown(wait=False, cancel_futures=True)  # else the next ones begin
            running = active_children()
            for process in running:
                process.terminate()
            for process in running:
                process.join()
            os._exit(int(str(end.code)))  # the pool's own thread may wait for them for ever


def _apart() -> None:
    """In each process: what a refused mail is told in a log is no news, and who is asked to end ends what it has started."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal's whole group: the first process says what is to end
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: object) -> None:
    """Once: what is being ended is left to end."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual", action="store_true", help="in virtual time, against a model of the server")
    parser.add_argument("--short", action="store_true", help="minutes instead of ten")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="scenarios with this in their name")
    parser.add_argument("--rates", nargs="*", type=float, default=[2, 30, 200], help="mails per second")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 4])
    parser.add_argument("--parallel", type=int, default=1, help="runs at once: in real time no more than the machine bears")
    parser.add_argument("--json", metavar="FILE", help="everything measured, anew after each run")
    parser.add_argument("--page", metavar="FILE", help="the page of the documentation that shows the table")
    parser.add_argument("--seed", type=int, default=0, help="of all chance, in virtual time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
