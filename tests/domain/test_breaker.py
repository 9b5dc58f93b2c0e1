"""The breaker opens after faults in a row or half of many, and closes after 1, 2, 4 and 8 good mails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.breaker import (
    Breaker,
    after_fault,
    after_success,
    allowed,
    next_probe_us,
    not_tried,
    retried,
    tried,
)
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
DOWN = Fault("gateway-unreachable", FaultScope.GATEWAY, Advice.WAIT, text="connection refused")


def fail(breaker: Breaker, now_us: int = NOW, *, fault: Fault = DOWN, jitter: float = 0.0, **names: Any) -> Breaker:
    return after_fault(breaker, fault, now_us=now_us, jitter=jitter, **names)[0]


def opened(now_us: int = NOW) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker = fail(breaker, now_us)
    return breaker


def test_it_opens_after_five_faults_in_a_row_and_not_after_four() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker = fail(breaker)
        assert allowed(breaker, NOW) is None

    breaker, note = after_fault(breaker, DOWN, now_us=NOW, jitter=0.0)

    assert (breaker.phase, allowed(breaker, NOW)) == ("open", 0)
    assert breaker.until_us == NOW + 30 * SECOND
    assert "30 s" in note
    assert "connection refused" in note


def test_a_success_between_begins_the_row_anew() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker = fail(breaker)
    breaker, _ = after_success(breaker, now_us=NOW)

    assert fail(breaker).phase == "closed"


def test_it_opens_when_half_of_ten_within_a_minute_fail() -> None:
    breaker = Breaker()
    for number in range(9):
        breaker = fail(breaker, NOW + number) if number % 2 == 0 else after_success(breaker, now_us=NOW + number)[0]

    assert breaker.phase == "closed"
    assert fail(breaker, NOW + 10).phase == "open"


def test_faults_of_different_minutes_do_not_add_up() -> None:
    breaker = Breaker()
    for number in range(30):
        breaker = fail(breaker, NOW + number * 61 * SECOND)
        breaker, _ = after_success(breaker, now_us=NOW + number * 61 * SECOND)

    assert breaker.phase == "closed"


def test_it_can_be_told_to_open_at_once_and_for_how_long() -> None:
    breaker = Breaker()
    for number in range(4):
        breaker = fail(breaker, NOW + number * 400 * SECOND, in_a_row=1, open_s=300.0)
        assert breaker.until_us == NOW + (number * 400 + 300) * SECOND


def test_each_opening_in_a_row_lasts_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    breaker, now_us, lasted = opened(), NOW, []
    for _ in range(8):
        lasted.append((breaker.until_us - now_us) // SECOND)
        now_us = breaker.until_us
        breaker = fail(tried(breaker, 1, now_us), now_us)

    assert lasted == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_server_that_says_when_is_left_alone_until_then() -> None:
    told = Fault("gateway-busy", FaultScope.GATEWAY, Advice.WAIT, retry_after_s=600)

    assert fail(Breaker(), fault=told, in_a_row=1).until_us == NOW + 600 * SECOND


def test_half_open_lets_one_two_four_and_eight_through_and_then_closes() -> None:
    breaker, now_us = opened(), NOW + 30 * SECOND
    rounds = []
    while breaker.phase != "closed":
        count = allowed(breaker, now_us)
        assert count
        rounds.append(count)
        breaker = tried(breaker, count, now_us)
        assert allowed(breaker, now_us) == 0, "no more than the round"
        for _ in range(count):
            breaker, note = after_success(breaker, now_us=now_us)

    assert rounds == [1, 2, 4, 8]
    assert "Sending again" in note
    assert allowed(breaker, now_us) is None


def test_one_fault_while_half_open_opens_it_again() -> None:
    breaker = tried(opened(), 1, NOW + 30 * SECOND)
    breaker, _ = after_success(breaker, now_us=NOW + 30 * SECOND)

    again = fail(tried(breaker, 2, NOW + 31 * SECOND), NOW + 31 * SECOND)

    assert (again.phase, again.strikes) == ("open", 2)


def test_a_probe_that_is_never_heard_of_again_does_not_block_the_next() -> None:
    breaker = tried(opened(), 1, NOW + 30 * SECOND)

    assert next_probe_us(breaker, NOW + 30 * SECOND) == NOW + 90 * SECOND
    assert allowed(breaker, NOW + 90 * SECOND) == 1


def test_a_probe_that_was_not_made_may_be_made_by_another() -> None:
    assert allowed(not_tried(tried(opened(), 1, NOW + 30 * SECOND), 1), NOW + 30 * SECOND) == 1


def test_what_was_under_way_when_it_opened_changes_nothing() -> None:
    breaker = opened()

    assert fail(breaker, NOW + SECOND) is breaker
    assert after_success(breaker, now_us=NOW + SECOND)[0] is breaker


def test_a_healthy_breaker_is_the_same_object_after_a_success() -> None:
    breaker = Breaker()

    assert after_success(breaker, now_us=NOW)[0] is breaker


@given(st.lists(st.tuples(st.sampled_from(["fault", "success", "try"]), st.integers(0, 100 * SECOND)), max_size=60))
def test_while_it_is_open_nothing_is_allowed_before_its_end(steps: list[tuple[str, int]]) -> None:
    breaker, now_us = Breaker(), NOW
    for what, gap_us in steps:
        now_us += gap_us
        if what == "fault":
            breaker = fail(breaker, now_us)
        elif what == "success":
            breaker, _ = after_success(breaker, now_us=now_us)
        else:
            breaker = tried(breaker, min(allowed(breaker, now_us) or 0, 8), now_us)
        free = allowed(breaker, now_us)
        assert (free == 0) if breaker.phase == "open" and now_us < breaker.until_us else True
        assert breaker.until_us - now_us <= 901 * SECOND
        if free == 0:
            then_us = next_probe_us(breaker, now_us)
            assert then_us > now_us
            assert allowed(breaker, then_us) != 0, "every hold has an end"


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_chance_only_lengthens_it_by_a_tenth(jitter: float) -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker = fail(breaker, jitter=jitter)

    assert 30 * SECOND <= breaker.until_us - NOW <= 33 * SECOND


def test_what_may_be_mended_is_tried_with_one_mail_and_waits_longer_if_it_is_not() -> None:
    breaker = opened()

    assert allowed(retried(breaker), NOW) == 1
    again = fail(tried(retried(breaker), 1, NOW), NOW + SECOND)
    assert allowed(again, NOW + SECOND) == 0
    assert again.until_us - NOW > 60 * SECOND
    assert retried(Breaker()) == Breaker()
