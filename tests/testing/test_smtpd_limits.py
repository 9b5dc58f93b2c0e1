"""The models of a mail server's limits: what they let through, second by second."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ticketmail.testing.smtpd.limits import RateMeter, ServerLimits
from ticketmail.testing.smtpd.tally import Tally


class Asking:
    """A meter, and a clock that stands where it is put."""

    def __init__(self, limits: ServerLimits, at_s: float = 0.0) -> None:
        self.now_s = at_s
        self.meter = RateMeter(limits, lambda: self.now_s)

    def permits(self, at_s: float, most: int = 1000) -> int:
        """How many it gives at that moment."""
        self.now_s = at_s
        for given in range(most):
            if self.meter.verdict("mail") is not None:
                return given
        return most


def test_windows_on_the_grid_begin_where_the_clock_says_and_others_at_the_first_mail() -> None:
    grid = Asking(ServerLimits(rate=3, window_s=60, kind="grid"), at_s=50)
    fixed = Asking(ServerLimits(rate=3, window_s=60, kind="fixed"), at_s=50)

    assert [grid.permits(at_s) for at_s in (50, 59, 60, 119, 120)] == [3, 0, 3, 0, 3]
    assert [fixed.permits(at_s) for at_s in (50, 59, 60, 109, 110)] == [3, 0, 0, 0, 3]


def test_a_day_may_be_short_and_ends() -> None:
    asking = Asking(ServerLimits(rate=100, daily=5, day_s=120))

    assert [asking.permits(at_s) for at_s in (0, 60, 119, 120)] == [5, 0, 0, 5]
    assert asking.meter.verdict("mail") == "550 5.4.5 Daily user sending limit exceeded"


def test_a_tarpit_serves_all_each_in_its_turn() -> None:
    asking = Asking(ServerLimits(rate=30, window_s=60, burst=1, excess="delay", at="mail"))

    assert [asking.meter.verdict("mail") for _ in range(3)] == [None, 2.0, 4.0]
    asking.now_s = 6.0
    assert [asking.meter.verdict("mail") for _ in range(2)] == [None, 2.0]
    assert asking.meter.tally.total("delayed") == 3


def test_a_server_that_shuts_refuses_connections_while_nothing_is_left() -> None:
    asking = Asking(ServerLimits(rate=2, burst=2, shut=True, reply="421 4.7.0 later"))

    assert asking.meter.verdict("connect") is None
    assert asking.permits(0.0) == 2
    assert asking.meter.verdict("connect") == "421 4.7.0 later"
    asking.now_s = 0.5
    assert asking.meter.verdict("connect") is None


@pytest.mark.parametrize(("kind", "given"), [("bucket", [10, 990, 5, 5, 490, 10]), ("fixed", [10, 5, 5, 5, 10, 10])])
def test_limits_change_on_the_way_by_plan_and_by_word(kind: Any, given: list[int]) -> None:
    """A bucket that nobody asks fills up; windows forget."""
    asking = Asking(ServerLimits(rate=10, kind=kind, burst=1000, changes=((100, 0.5), (200, 1.0))))
    asking.permits(0)

    assert [asking.permits(at_s) for at_s in (1, 100, 101, 102, 200, 201)] == given
    asking.meter.change(0.2)
    assert asking.permits(202) == 2


@pytest.mark.parametrize("cycle_s", [0.0, 30.0])
def test_a_neighbour_takes_its_part_and_what_is_left_is_ours(cycle_s: float) -> None:
    asking = Asking(ServerLimits(rate=10, neighbour=0.3, neighbour_cycle_s=cycle_s))
    ours = [asking.permits(at_s + 0.1) for at_s in range(60)]  # not when the neighbour does
    usage = asking.meter.tally.usage(0, 60)

    assert usage.neighbour == pytest.approx(180, rel=0.15)
    assert usage.allowed == 600 - usage.neighbour
    assert sum(ours) == pytest.approx(usage.allowed, rel=0.05)
    assert min(ours[1:]) == pytest.approx(7 if not cycle_s else 1, abs=1)


def test_a_span_of_long_windows_is_measured_in_whole_ones() -> None:
    asking = Asking(ServerLimits(rate=60, window_s=60, kind="fixed"))
    for at_s in (0, 65, 130, 195):
        for _ in range(asking.permits(at_s)):
            asking.meter.count("taken")

    usage = asking.meter.tally.usage(10, 200)
    assert (usage.from_s, usage.to_s, usage.taken) == (65, 195, 120)
    assert usage.used == pytest.approx(120 / 130)  # a window that begins late is lost in part


def test_a_tally_goes_through_a_file_unchanged() -> None:
    asking = Asking(ServerLimits(rate=5, changes=((3, 0.5),)))
    for at_s in range(6):
        for _ in range(asking.permits(at_s)):
            asking.meter.count("taken")
        asking.meter.count("refused")

    read = Tally.from_json(json.loads(json.dumps(asking.meter.tally.to_json())))
    assert read == asking.meter.tally
    assert read.usage(0, 6).allowed == 3 * 5 + 3 * 2.5
    assert read.usage(0, 6).refused == 6
