"""How many connections a server bears: a refused one is taken from who opened it, and the others go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountLimits, AccountState, slots_of
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.learning import Learned, Recent
from ticketmail.domain.outbound.learning_connections import more_connections
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.outbound.settling import settle_fault

NOW, SECOND = 1_800_000_000_000_000, 1_000_000
LIMITS = AccountLimits(connections=5)
TOO_MANY = Fault("throttled-connections", FaultScope.ACCOUNT, Advice.WAIT, text="421 too many connections", retry_after_s=15.0)


def asked(state: AccountState, worker: str, at_us: int = NOW, *, in_use: int = 0) -> AccountState:
    """The worker asks for connections, of which so many are open."""
    return take(state, LIMITS, worker=worker, permits=0, connections=5, now_us=at_us, in_use=in_use)[0]


def refused(state: AccountState, worker: str, at_us: int, *, tried_us: int | None = None) -> AccountState:
    """A connection of the worker's is, which it tried at ``tried_us``."""
    tried_us = at_us if tried_us is None else tried_us
    return settle_fault(state, TOO_MANY, now_us=at_us, jitter=0.0, permits_issued_us=tried_us, recent=Recent(worker=worker))[0]


def held(state: AccountState) -> dict[str, int]:
    """Connections by worker."""
    return {name: lease.held for name, lease in state.leases.items()}


def cap(state: AccountState) -> int:
    """Connections of all workers."""
    return slots_of(state, LIMITS)


def three_of_five() -> AccountState:
    """One worker, of whose five connections the server let in three."""
    state = asked(AccountState(), "a")
    for number in (1, 2):
        state = refused(state, "a", NOW + number)
    return state


def test_a_refused_connection_is_taken_from_the_worker_that_opened_it_and_the_others_go_on() -> None:
    state = asked(AccountState(), "a")
    state = asked(asked(state, "b"), "a", NOW + 1, in_use=3)
    state = asked(state, "b", NOW + 2)
    assert held(state) == {"a": 3, "b": 2}

    state = refused(state, "b", NOW + SECOND)

    assert (held(state), cap(state)) == ({"a": 3, "b": 1}, 4)
    assert state.throttle is None, "no mail waits for what the others do not need"
    assert state.learned is not None
    assert state.learned.evidence == TOO_MANY.text


def test_who_asks_again_has_no_more_than_was_learned() -> None:
    state = three_of_five()

    assert held(asked(state, "a", NOW + SECOND, in_use=3)) == {"a": 3}
    assert asked(state, "b", NOW + SECOND).leases["b"].held == 0


def test_what_was_tried_before_the_last_refusal_was_known_counts_no_more() -> None:
    state = refused(asked(AccountState(), "a"), "a", NOW + SECOND)

    again = refused(state, "a", NOW + SECOND + 1, tried_us=NOW + SECOND - 1)

    assert again == state


def test_the_only_connection_is_refused_because_of_others_and_waits() -> None:
    state = asked(AccountState(), "a")
    for number in range(1, 6):
        state = refused(state, "a", NOW + number)

    assert cap(state) == 1
    assert state.throttle is not None
    assert state.throttle.until_us - NOW >= 15 * SECOND, "as the server's documents say"


def test_one_more_is_tried_after_a_clean_time_if_workers_use_what_they_have() -> None:
    used = idle = three_of_five()
    for second in range(10, 80, 10):
        used = asked(used, "a", NOW + second * SECOND, in_use=3)
        idle = asked(idle, "a", NOW + second * SECOND, in_use=2)

    assert (cap(used), cap(idle)) == (4, 3)


@pytest.mark.parametrize(("in_vain", "waits_s"), [(1, 120), (2, 240), (3, 480), (9, 480)])
def test_a_try_in_vain_doubles_the_clean_time_before_the_next(in_vain: int, waits_s: int) -> None:
    state, at_us = three_of_five(), NOW
    for _ in range(in_vain):
        while cap(state) == 3:
            at_us += 10 * SECOND
            state = asked(state, "a", at_us, in_use=3)
        at_us += SECOND
        state = refused(state, "a", at_us)
    began_us = at_us
    while cap(state) == 3:
        at_us += SECOND
        state = asked(state, "a", at_us, in_use=3)

    assert (at_us - began_us) / SECOND == waits_s


def test_a_limit_that_was_raised_is_found_one_connection_a_minute() -> None:
    state, at_us = three_of_five(), NOW
    while cap(state) < 5:
        at_us += 10 * SECOND
        state = asked(state, "a", at_us, in_use=cap(state))

    assert (at_us - NOW) / SECOND == 130, "asked each ten seconds"


def test_a_clock_that_was_ahead_and_is_set_right_makes_no_refusal_an_echo_and_no_wait_longer() -> None:
    day_us = 86_400 * SECOND
    state = asked(refused(asked(AccountState(), "a", NOW + day_us), "a", NOW + day_us), "a", NOW, in_use=4)

    assert cap(refused(state, "a", NOW + SECOND)) == 3
    for second in range(3):
        state = asked(state, "a", NOW + second * SECOND, in_use=4)
    assert cap(state) == 5


def test_no_more_connections_are_tried_than_the_settings_allow() -> None:
    learned = Learned(connections=3, connections_us=NOW, connections_used=99)

    assert more_connections(learned, now_us=NOW + 999 * SECOND, most=3, all_used=True) is learned
    assert more_connections(learned, now_us=NOW + 999 * SECOND, most=5, all_used=True).connections == 4


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 40)), max_size=60))
def test_leases_are_never_more_than_what_was_learned_and_never_none_at_all(steps: list[tuple[str, bool, int]]) -> None:
    state, at_us = AccountState(), NOW
    for worker, refuses, seconds in steps:
        at_us += seconds * SECOND
        mine = held(state).get(worker, 0)
        state = refused(state, worker, at_us) if refuses and mine else asked(state, worker, at_us, in_use=mine)
        live = sum(lease.held for lease in state.leases.values() if lease.until_us > at_us)
        assert live <= cap(state)
        assert 1 <= cap(state) <= 5
