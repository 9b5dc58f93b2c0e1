"""The scenarios in real time: worker processes, a spool on disk, and the kit's server as a process on loopback."""

from __future__ import annotations

import sys
import time
from collections import Counter

from limits_judging import FED_EVERY_S, feed, judged
from limits_scenarios import Result, Scenario, Span
from limits_site import Site, until

from ticketmail.testing.smtpd.tally import Tally

_DRAINED_WITHIN_S = 300.0
_AHEAD_S = 30.0  # a feeder may be late


def run(scenario: Scenario, workers: int, span: Span) -> Result:
    """One run. Raises RuntimeError where several workers are asked for and there is no PostgreSQL."""
    began_s = time.monotonic()
    timed = scenario.timed(span)
    with Site(timed.limits, workers=workers, accounts=scenario.accounts, dot_delay_s=scenario.dot_delay_s) as site:
        _work(site, timed, span)
        tallies = [Tally.from_json(one) for one in site.told()["logins"].values()]
        taken = Counter(entry["message_id"] for entry in site.journal())
        result = judged(timed, workers, span, mail=site.mail, tallies=tallies, taken=taken)
    result.real_s = time.monotonic() - began_s
    return result


def _work(site: Site, scenario: Scenario, span: Span) -> None:
    handed = feed(site.mail, scenario, 0, 0, ahead_s=_AHEAD_S)
    site.worker.start()
    try:
        until(lambda: site.taken() > 0, 300, f"the first mail is taken: {site.worker.said()}")
        end_s = time.monotonic() + span.to_s + FED_EVERY_S
        while time.monotonic() < end_s:
            time.sleep(FED_EVERY_S)
            handed = feed(site.mail, scenario, handed, site.taken(), ahead_s=_AHEAD_S)
        until(lambda: site.taken() >= handed, _DRAINED_WITHIN_S, "all mail has been taken", every_s=0.5)
    except AssertionError as late:
        print(f"{scenario.name}: {late}", file=sys.stderr)
    finally:
        site.worker.stop()
