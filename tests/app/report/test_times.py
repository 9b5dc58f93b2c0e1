"""Times are local, with their offset."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from ticketmail.app.usecases.report import Times, iso, span

NOW = 1_800_000_000_000_000  # 2027-01-15 08:00:00 UTC
TIMES = Times(NOW, timezone(timedelta(hours=-3, minutes=-30)))


def test_a_moment_of_today_is_shown_without_its_date() -> None:
    assert TIMES.at(NOW + 61_000_000) == "04:31:01 -03:30"


def test_a_moment_of_another_local_day_is_shown_with_its_date() -> None:
    assert TIMES.at(NOW - 5 * 3_600_000_000) == "2027-01-14 23:30:00 -03:30"
    assert TIMES.full(NOW) == "2027-01-15 04:30:00 -03:30"


def test_microseconds_survive_in_what_programs_read() -> None:
    assert iso(NOW + 1) == "2027-01-15T08:00:00.000001Z"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.42, "420 ms"),
        (1.42, "1.4 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (3600, "1 h"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_what_is_to_come_is_not_said_to_be_past() -> None:
    assert TIMES.ago(NOW - 60_000_000) == "1 min ago"
    assert TIMES.ago(NOW + 60_000_000) == "in 1 min"
