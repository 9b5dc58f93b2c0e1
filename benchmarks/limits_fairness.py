"""Who waits for whom: a reply among waiting bulk, and tenants beside one that floods. Real processes, real time.

    python benchmarks/limits_fairness.py [--only reply] [--bulk 100000] [--flood 50000] [--seconds 60] [--page FILE]
    scripts/services run -- python benchmarks/limits_fairness.py --postgresql

Time is measured from before the call that hands a mail over until the mail server took it. Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from limits_site import Site, until
from limits_table import put

from ticketmail import Message, Submission, TicketMail
from ticketmail.testing.smtpd.limits import ServerLimits

#: Goals: a reply's longest wait (seconds); p99 beside the flood, as a multiple of p99 alone.
REPLY_S, TIMES_ALONE = 5.0, 2.0
_BATCH = 1000
_PACE_S = 0.5
#: The server answers a dot after so long: five connections bring a hundred mails a second.
_DOT_S = 0.05
#: Below this, waits are made of polls and commits, not of other tenants (seconds).
_FLOOR_S = 0.25
_Waits = Callable[[Iterable[Submission], Callable[[int], Submission]], list[float]]


def main() -> int:
    """Measure once; the exit code tells whether the aims were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bulk", type=int, default=100_000)
    parser.add_argument("--flood", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of measuring, for each")
    parser.add_argument("--only", choices=["reply", "tenants"])
    parser.add_argument("--postgresql", action="store_true", help="rather than SQLite")
    parser.add_argument("--page", metavar="FILE", help="the page of the documentation that shows the table")
    options = parser.parse_args()
    table = _Table()
    waits = partial(_waits, seconds=options.seconds, postgresql=options.postgresql)
    missed = [] if options.only == "tenants" else _replies(table, options.bulk, waits)
    missed += [] if options.only == "reply" else _tenants_apart(table, options.flood, waits)
    print(f"missed: {', '.join(missed) or 'nothing'}")
    if options.page:
        put(Path(options.page), "fairness on PostgreSQL" if options.postgresql else "fairness", table.text(missed))
    return int(bool(missed))


class _Table:
    """Rows as they come."""

    def __init__(self) -> None:
        self._rows = ["| | mails | p50 s | p99 s | longest s |", "|---|---|---|---|---|"]

    def add(self, name: str, waits: list[float]) -> None:
        """Print a row, and keep it."""
        figures = " | ".join(f"{one:.2f}" for one in (_part(waits, 0.5), _part(waits, 0.99), waits[-1]))
        self._rows.append(f"| {name} | {len(waits)} | {figures} |")
        print(self._rows[-1], flush=True)

    def text(self, missed: list[str]) -> str:
        """The table, and how it went."""
        load = f"The machine's load was {os.getloadavg()[2]:.0f} on {os.cpu_count()} cores (15 minutes)."
        return "\n".join(self._rows) + f"\n\nMissed: {', '.join(missed) or 'nothing'}. {load}"


def _replies(table: _Table, bulk: int, waits_of: _Waits) -> list[str]:
    waits = waits_of(_backlog(bulk, lane="bulk"), lambda number: _one(number, lane="reply"))
    table.add(f"a `reply` among {bulk:,} `bulk` that wait, from before the call until taken", waits)
    return ["reply"] if waits[-1] > REPLY_S else []


def _tenants_apart(table: _Table, flood: int, waits_of: _Waits) -> list[str]:
    alone = waits_of([], _tenants)
    table.add("nine tenants alone", alone)
    beside = waits_of(_backlog(flood, lane="notice", tenant="flood"), _tenants)
    table.add(f"nine tenants beside one that handed over {flood:,} mails before them", beside)
    return ["tenants"] if _part(beside, 0.99) > max(_FLOOR_S, TIMES_ALONE * _part(alone, 0.99)) else []


def _waits(
    backlog: Iterable[Submission], mail_of: Callable[[int], Submission], *, seconds: float, postgresql: bool
) -> list[float]:
    """Seconds from hand-over to taken, sorted, of mails that come twice a second while the backlog is sent."""
    with Site(ServerLimits(), dot_delay_s=_DOT_S, postgresql=postgresql) as site:
        waiting = _hand_over(site.mail, backlog)
        if not waiting:
            site.mail.submit(mail_of(10_000_000))
        site.worker.start()
        until(lambda: site.taken() > 0, 60, "the first mail is taken")
        handed = _trickle(site.mail, mail_of, seconds)
        if waiting and site.taken() >= waiting:
            raise RuntimeError("the backlog was sent before the end: nothing was measured. Let more mail wait.")
        within_s = 60 + 2 * waiting * _DOT_S / 5
        until(lambda: handed.keys() <= _taken(site).keys(), within_s, "all mails that were measured are taken", every_s=1.0)
        taken = _taken(site)
        return sorted(taken[message_id] - at_s for message_id, at_s in handed.items())


def _trickle(mail: TicketMail, mail_of: Callable[[int], Submission], seconds: float) -> dict[str, float]:
    handed: dict[str, float] = {}
    for number in range(int(seconds / _PACE_S)):
        at_s = time.time()
        handed[mail.submit(mail_of(number)).message_id.strip("<>")] = at_s
        time.sleep(max(0.0, _PACE_S - (time.time() - at_s)))
    return handed


def _taken(site: Site) -> dict[str, float]:
    return {entry["message_id"].strip("<>"): entry["at_s"] for entry in site.journal()}


def _hand_over(mail: TicketMail, mails: Iterable[Submission]) -> int:
    batch: list[Submission] = []
    count = 0
    for one in mails:
        batch.append(one)
        count += 1
        if len(batch) == _BATCH:
            mail.submit_many(batch)
            batch.clear()
    mail.submit_many(batch)
    return count


def _backlog(count: int, *, lane: str, tenant: str = "") -> Iterable[Submission]:
    return (_one(20_000_000 + number, lane=lane, tenant=tenant) for number in range(count))


def _tenants(number: int) -> Submission:
    return _one(number, lane="notice", tenant=f"tenant{number % 9}")


def _one(number: int, *, lane: str, tenant: str = "") -> Submission:
    message = Message(sender="desk@example.com", to=f"c{number}@example.net", subject=f"Note {number}", text="On its way.")
    return Submission(message=message, ticket=f"t{number}", lane=lane, tenant=tenant)


def _part(waits: list[float], part: float) -> float:
    return waits[min(len(waits) - 1, int(len(waits) * part))]


if __name__ == "__main__":
    sys.exit(main())
