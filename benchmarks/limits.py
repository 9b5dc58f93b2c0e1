"""Limits that nobody told the workers: how much of what the mail server allows is used, and at what price.

    python benchmarks/limits.py --virtual [--short] [--only PART ...] [--rates 2 30 200] [--workers 1 4] [--json FILE] [--seed N]

Counted at the server in minutes 2 to 10 from the first mail on (--short: seconds 40 to 160). Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

import limits_virtual
from limits_scenarios import FULL, SHORT, Result, scenarios
from limits_table import line, table


def main() -> int:
    """Run what is asked for; a line for each as it comes, the table at the end."""
    options = _parser().parse_args()
    logging.disable(logging.CRITICAL)
    span = SHORT if options.short else FULL
    chosen = [one for one in scenarios(options.rates) if not options.only or any(part in one.name for part in options.only)]
    results: list[Result] = []
    for scenario in chosen:
        for workers in options.workers:
            results.append(limits_virtual.run(scenario, workers, span, seed=options.seed))
            print(line(results[-1]), flush=True)
            if options.json:
                Path(options.json).write_text(json.dumps([one.to_json() for one in results]))
    print(f"\n{table(results)}\n\n{sum(not one.missed for one in results)} of {len(results)} meet all goals.")
    return int(any(one.missed for one in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual", action="store_true", help="in virtual time, against a model of the server")
    parser.add_argument("--short", action="store_true", help="minutes instead of ten")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="scenarios with this in their name")
    parser.add_argument("--rates", nargs="*", type=float, default=[2, 30, 200], help="mails per second")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 4])
    parser.add_argument("--json", metavar="FILE", help="everything measured, anew after each run")
    parser.add_argument("--seed", type=int, default=0, help="of all chance, in virtual time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
