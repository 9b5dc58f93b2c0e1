"""A part of the matrix of ``benchmarks/limits.py``, in virtual time: whole workers, and limits that nobody told them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from limits_scenarios import FULL, SHORT, Result, Scenario, Span, found, quotas, scenarios
from limits_virtual import run

from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.tally import Tally

ALL = {one.name: one for one in [*scenarios((2, 10, 30)), *quotas(virtual=False)]}
PART = ("window 10/s", "421 at connect 2/s", "refused at the dot 2/s", "tarpit 30/min, 3 connections by 432", "3 connections 2/s")
BURSTY = "30 % bursty neighbour 30/s"
PART += ("halved and doubled 2/s", "two accounts 2/s", "30 % steady neighbour 2/s", BURSTY, "quota 1800 per 2 min")
#: Where two minutes are too few mails to be told by.
LONG = (*(name for name in PART if "2/s" in name), BURSTY)

_done: dict[tuple[str, int], Result] = {}


def result(name: str, workers: int = 1) -> Result:
    """Each is run once."""
    if (name, workers) not in _done:
        _done[name, workers] = run(ALL[name], workers, FULL if name in LONG else SHORT)
    return _done[name, workers]


@pytest.mark.parametrize("name", PART)
def test_a_limit_costs_no_mail_no_attempt_and_no_copy(name: str) -> None:
    got = result(name)

    assert (got.dead, got.wasted, got.copies) == (0, 0, 0)
    assert got.sent > 0


@pytest.mark.parametrize("name", PART)
def test_what_is_allowed_is_used_with_few_refusals(name: str) -> None:
    assert result(name).missed == []


@pytest.mark.xfail(strict=True, reason="at ten a second there are few mails between two bursts: half of the pauses is used")
def test_the_pauses_of_a_bursty_neighbour_are_used_on_a_slower_account() -> None:
    assert run(ALL["30 % bursty neighbour 10/s"], 1, FULL).missed == []


def test_mails_whose_turn_had_not_come_when_the_server_refused_wait_for_another() -> None:
    """Their permits were given a quarter of a second before: fifteen mails at this rate, of which five may be on their way."""
    scenario = Scenario("bucket 60/s", ServerLimits(rate=60))

    got = run(scenario, 1, Span(5, 25, 0, 0))

    assert max(got.refused_in_second[5:]) in range(1, 6)
    assert (got.sent, got.wasted) == (got.handed_over, 0)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_connections_that_a_server_takes_are_known_at_once(workers: int) -> None:
    got = run(ALL["3 connections 10/s"], workers, Span(2, 62, 0, 0))

    assert got.missed == []
    assert got.usage.refused <= 3, "one for each try of one more"


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_that_are_told_a_limit_keep_it(workers: int) -> None:
    """Kept in any minute, whatever minute the server means: that costs a tenth of it."""
    got = run(ALL["window 600/min"], workers, Span(0, 62, 0, 0), told=("600/min",))

    assert (got.sent, got.usage.refused) == (got.handed_over, 0)
    assert got.usage.used > 0.85


def test_a_run_is_the_same_each_time() -> None:
    again = run(ALL["two accounts 2/s"], 1, FULL)

    assert replace(again, real_s=0) == replace(result("two accounts 2/s"), real_s=0)


def test_another_seed_is_another_run_of_the_same_kind() -> None:
    runs = [tuple(run(ALL["two accounts 10/s"], 1, SHORT, seed=seed).taken_in_second) for seed in range(3)]
    assert len(set(runs)) > 1


def test_a_limit_is_found_again_when_it_is_kept_and_used_for_a_while() -> None:
    tally = Tally(allowed_per_s=10, changes=[(20, 5)])
    for second in range(60):
        late = 20 <= second < 33
        tally.seconds["taken"][second] = 3 if late else 5
        tally.seconds["refused"][second] = 2 if late else 0

    assert found(tally, 20, 60) == pytest.approx(12, abs=1)
    assert found(tally, 20, 25) is None


def test_what_was_missed_has_a_name() -> None:
    scenario = Scenario("x", ALL["window 10/s"].limits)
    got = replace(result("window 10/s"), scenario=scenario.name, sent=1, dead=1, copies=1, changes=True)

    assert {"delivered", "dead", "copies", "halved", "doubled"} <= set(got.missed)
