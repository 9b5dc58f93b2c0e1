"""Schedules as people write them; the last step repeats, and chance only shifts a wait by a fifth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.retry import DEFAULTS, Schedule, schedule_for

JITTER = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("30s, 1m, 5m*2, 1h", (30, 60, 300, 300, 3600)),
        ("30s,1m", (30, 60)),
        ("15m", (900,)),
        ("5m * 3", (300, 300, 300)),
        (["30s", "5m*2"], (30, 300, 300)),
        (("30s, 1m",), (30, 60)),
    ],
)
def test_a_schedule_is_read(text: str, steps: tuple[float, ...]) -> None:
    assert Schedule.parse(text).steps_s == steps


@pytest.mark.parametrize("text", ["", ",", "30s,", "5m*", "5m*0", "5m*x", "5m**2", "x", "5m*1001", "-5s", [], "5m*²"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        Schedule.parse(text)


@given(st.lists(st.floats(0, 10**6), min_size=1, max_size=10), st.integers(1, 10**6), JITTER)
def test_a_wait_is_its_step_give_or_take_a_fifth_and_the_last_repeats(steps: list[float], attempts: int, jitter: float) -> None:
    step = steps[min(attempts, len(steps)) - 1]

    assert step * 0.8 - 1e-6 <= Schedule(tuple(steps)).delay_s(attempts, jitter) <= step * 1.2 + 1e-6


def test_chance_spreads_mail_that_failed_together() -> None:
    schedule = Schedule.parse("100s")

    assert [schedule.delay_s(1, jitter) for jitter in (0.0, 0.5)] == [80, 100]
    assert schedule.delay_s(1, 0.999) == pytest.approx(120, abs=0.1)


def test_a_cause_has_its_own_schedule_else_its_classes_else_the_common_one() -> None:
    own = {"greylisted": Schedule.parse("7s")}

    assert schedule_for(own, "greylisted", "greylist").steps_s == (7,)
    assert schedule_for({}, "greylisted", "greylist") == DEFAULTS["greylist"]
    assert schedule_for({"greylist": Schedule.parse("8s")}, "greylisted", "greylist").steps_s == (8,)
    assert schedule_for({}, "own-cause", "own-class") == DEFAULTS["transient"]


def test_every_cause_names_a_schedule_that_there_is() -> None:
    assert {cause.retry for cause in CAUSES.values()} <= set(DEFAULTS)


def test_a_schedule_says_itself_to_people() -> None:
    assert str(Schedule.parse("30s, 5m*2")) == "30 s, 5 min, 5 min"
