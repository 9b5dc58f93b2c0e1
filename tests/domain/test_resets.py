"""A quota's reset is learned from when it came back before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.resets import Resets, came_back, expected_us, try_us
from ticketmail.domain.outbound.settling import settle_fault, settle_success

SECOND = 1_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
USED_UP = Fault("quota", FaultScope.ACCOUNT, Advice.WAIT, text="550 5.4.5 Daily user sending limit exceeded")


def through_a_day(state: AccountState, used_up_us: int, reset_us: int) -> tuple[AccountState, int, int]:
    """Refused from the one to the other. The state then, how many tries were refused, and when one was taken."""
    now_us, refused = used_up_us, 0
    while now_us < reset_us:
        state, _ = settle_fault(state, USED_UP, now_us=now_us, jitter=0.5, permits_issued_us=now_us)
        refused += 1
        assert state.quota is not None
        assert state.quota.until_us > now_us
        now_us = state.quota.until_us
    state, _ = settle_success(state, now_us=now_us, permits_issued_us=now_us)
    assert state.quota is None
    return state, refused, now_us


@settings(max_examples=60)
@given(st.integers(0, 23), st.lists(st.integers(1, 22), min_size=8, max_size=8))
def test_a_daily_reset_is_met_within_minutes_by_few_tries(hour: int, used_up: list[int]) -> None:
    """Used up at any hour of each day: by the second week the reset is known, and a day costs a handful of refusals."""
    state, costs, lates = AccountState(), [], []
    for day, hours in enumerate(used_up):
        reset_us = (20_000 + day) * DAY + hour * HOUR
        state, refused, taken_us = through_a_day(state, reset_us - hours * HOUR, reset_us)
        costs.append(refused)
        lates.append(taken_us - reset_us)

    assert max(lates) <= 1.1 * HOUR, "where nothing is known, one an hour"
    assert max(lates[6:]) <= 600 * SECOND
    assert max(costs[6:]) <= 8


def test_a_reset_that_moved_is_found_as_one_that_is_not_known() -> None:
    state = AccountState(resets=Resets(after_us=10 * DAY, before_us=10 * DAY + SECOND, least_s=86_400, most_s=86_400))

    state, refused, taken_us = through_a_day(state, 10 * DAY + 20 * HOUR, 11 * DAY + 3 * HOUR)

    assert taken_us <= 11 * DAY + 4 * HOUR + HOUR // 2
    assert refused <= 16
    assert state.resets is not None
    assert state.resets.most_s == 0 or state.resets.before_us == taken_us


def test_a_known_reset_is_waited_for_and_looked_at_now_and_then_for_it_may_have_been_raised() -> None:
    known = Resets(after_us=10 * DAY, before_us=10 * DAY + 60 * SECOND, least_s=86_400, most_s=86_400)

    far, _ = settle_fault(AccountState(resets=known), USED_UP, now_us=10 * DAY + HOUR, jitter=0.5)
    near, _ = settle_fault(AccountState(resets=known), USED_UP, now_us=10 * DAY + 20 * HOUR, jitter=0.5)

    assert far.quota is not None
    assert far.quota.until_us == 10 * DAY + 7 * HOUR
    assert near.quota is not None
    assert near.quota.until_us == 11 * DAY + 60 * SECOND


def test_days_on_which_nothing_was_used_up_lie_between() -> None:
    known = Resets(after_us=10 * DAY, before_us=10 * DAY + HOUR, least_s=86_000, most_s=86_800)

    got = came_back(known, after_us=13 * DAY, before_us=13 * DAY + HOUR)

    assert (got.least_s, got.most_s) == (86_400, 86_400)


@pytest.mark.parametrize("period_s", [120, 600, 3600])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_a_quota_of_minutes_is_met_sooner_each_time(period_s: int, part: float) -> None:
    """It begins with the first mail after the last one's end, and is used up in a part of its time: 10 % are lost at first."""
    state, costs, lates = AccountState(), [], []
    now_us = 20_000 * DAY
    for _ in range(8):
        reset_us = now_us + period_s * SECOND
        state, refused, now_us = through_a_day(state, now_us + int(part * period_s) * SECOND, reset_us)
        costs.append(refused)
        lates.append((now_us - reset_us) / (period_s * SECOND))

    assert max(lates[1:4]) <= 0.16, "as late as the tries are far from one another"
    assert sum(lates[4:]) / 4 <= 0.06
    assert max(costs) <= 10


def test_a_quota_that_came_back_in_a_small_part_is_tried_for_as_if_nothing_were_known() -> None:
    """A rolling day: a place or two were free."""
    back = Resets(after_us=DAY, before_us=DAY + HOUR)

    one, _ = settle_fault(AccountState(resets=back), USED_UP, now_us=DAY + HOUR + SECOND, jitter=0.0)
    whole, _ = settle_fault(AccountState(resets=back), USED_UP, now_us=DAY + 2 * HOUR, jitter=0.0)

    assert one.quota is not None
    assert one.quota.until_us == DAY + HOUR + 61 * SECOND
    assert whole.quota is not None
    assert whole.quota.until_us == DAY + 2 * HOUR + 540 * SECOND


def test_what_comes_back_within_a_minute_teaches_nothing() -> None:
    got = came_back(Resets(after_us=DAY, before_us=DAY + SECOND), after_us=DAY + 50 * SECOND, before_us=DAY + 52 * SECOND)

    assert got.most_s == 0
    assert expected_us(got, 2 * DAY) is None
    assert try_us(got, since_us=2 * DAY, now_us=2 * DAY) is None


def test_so_many_times_between_that_nobody_can_count_them_teach_nothing() -> None:
    known = Resets(after_us=DAY, before_us=DAY + SECOND, least_s=100, most_s=140)

    got = came_back(known, after_us=DAY + 1200 * SECOND, before_us=DAY + 1210 * SECOND)

    assert got == Resets(after_us=DAY + 1200 * SECOND, before_us=DAY + 1210 * SECOND)
