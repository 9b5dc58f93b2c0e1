"""A forecast against a simulated drain that uses the account's own arithmetic and the lanes' own sharing."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.forecast import ahead_of, pace_of
from ticketmail.domain.outbound.holds import hold_of
from ticketmail.domain.outbound.lanes import share
from ticketmail.domain.outbound.learning import Learned
from ticketmail.domain.outbound.permits import take

SECOND = 1_000_000
#: 2027-01-15 08:00:00 UTC.
START = 1_800_000_000 * SECOND
WEIGHTS = {"code": 64, "reply": 32, "notice": 8, "digest": 4, "bulk": 1}


def drain(state: AccountState, limits: AccountLimits, waiting: Mapping[str, int], lane: str, place: int) -> int:
    """When the mail at ``place`` of ``lane`` leaves, if the account is asked whenever it may have room. Mails take no time."""
    left, gone, now_us, carried = dict(waiting), 0, START, {}
    while True:
        asked = 10 if sum(left.values()) > 10 else 1
        state, grant = take(state, limits, worker="w", permits=asked, connections=1, now_us=now_us)
        if not grant.permits:
            hold = hold_of(state, limits, now_us=now_us)
            assert hold is not None
            assert hold.until_us is not None
            now_us = max(hold.until_us, now_us + 1)
            continue
        granted, carried = share(WEIGHTS, grant.permits, left, carried)
        left = {name: count - granted.get(name, 0) for name, count in left.items()}
        gone += granted.get(lane, 0)
        if gone > place:
            return now_us


def used_up(limits: AccountLimits, count: int, ago_s: int) -> AccountState:
    """An account that let ``count`` mails through, one a second, until ``ago_s`` seconds ago."""
    state = AccountState()
    for number in range(count):
        at_us = START - (ago_s + count - number) * SECOND
        state, _ = take(state, limits, worker="w", permits=1, connections=1, now_us=at_us)
    return state


limits_of = st.lists(
    st.sampled_from(["2/s", "10/s", "10/min", "30/min", "600/min", "20/h", "100/h", "300/h", "150/day", "90/day@Europe/Berlin"]),
    min_size=1,
    max_size=3,
    unique=True,
).map(AccountLimits.parse)
waiting = st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.integers(0, 120), min_size=1).filter(lambda one: any(one.values()))


@settings(max_examples=150, deadline=None)
@given(limits=limits_of, queued=waiting, used=st.integers(0, 60), ago_s=st.integers(0, 4000), data=st.data())
def test_it_is_never_early_and_late_by_no_more_than_it_says(limits, queued, used, ago_s, data) -> None:
    lane = data.draw(st.sampled_from([name for name, count in queued.items() if count]))
    place = data.draw(st.integers(0, queued[lane] - 1))
    state = used_up(limits, used, ago_s)
    ahead = ahead_of(lane, place, queued, WEIGHTS)

    pace = pace_of(state, limits, from_us=START, mails=ahead + 1, mail_s=1e-6)
    real_us = drain(state, limits, queued, lane, place)
    told_us = pace.when_us(ahead + 1)

    assert told_us is not None
    largest_s = max((one.period_s for one in limits.ours if one.kind == "rolling"), default=0.0)
    late_us = (real_us - START) // 20 + int(2 * largest_s / 60 * SECOND) + 3 * SECOND
    total = sum(WEIGHTS[name] for name in {*queued, lane})
    rounds = [-(-2 * WEIGHTS[name] // WEIGHTS[lane]) + 3 + total // WEIGHTS[lane] for name in queued if name != lane]
    without_rounds = pace.when_us(max(place + 1, ahead + 1 - sum(rounds)))
    assert without_rounds is not None
    assert real_us <= told_us
    assert without_rounds <= real_us + late_us


def test_a_pace_that_the_server_taught_counts() -> None:
    learned = Learned(per_s=3.0, back=2.0, good=2.0, next_us=START + 10_000_000)

    pace = pace_of(AccountState(learned=learned), AccountLimits(), from_us=START, mails=200)

    assert pace.when_us(1) == START + 10_000_000, "its turn"
    assert pace.when_us(101) == START + 60_000_000
    assert pace.waiting_for(101) == "2 a second, as the server taught"


def test_the_limit_that_keeps_mail_longest_is_named_though_connections_come_last() -> None:
    limits = AccountLimits.parse(["20/day"])
    used_up, _ = take(AccountState(), limits, worker="w", permits=20, connections=5, now_us=START)

    pace = pace_of(used_up, limits, from_us=START, mails=10)

    assert pace.waiting_for(6) == "20/day"
    assert pace_of(AccountState(), limits, from_us=START, mails=10).waiting_for(6) == "5 connections"
