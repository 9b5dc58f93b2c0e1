"""A server that several accounts share: never more than its cap, all or nothing over both, in words that name it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.holds import Hold
from ticketmail.domain.outbound.permits import Grant, take
from ticketmail.domain.outbound.server import Server, accounts_holding, both, drop_holder, holder, server_hold

NOW = 1_800_000_000_000_000
HOLDERS = [holder(worker, account) for worker in ("w1", "w2") for account in ("support", "sales", "news")]


@given(
    cap=st.integers(1, 6),
    asked=st.lists(st.tuples(st.sampled_from(HOLDERS), st.integers(0, 5), st.integers(0, 12)), max_size=40),
)
def test_all_accounts_of_all_workers_together_never_hold_more_than_the_cap(cap: int, asked: list[tuple[str, int, int]]) -> None:
    limits, state, now_us, held = AccountLimits(connections=cap), AccountState(), NOW, dict.fromkeys(HOLDERS, 0)
    for name, wanted, seconds in asked:
        now_us += seconds * 1_000_000
        state, grant = take(
            state, limits, worker=name, permits=0, connections=wanted, in_use=min(held[name], wanted), now_us=now_us
        )
        held[name] = grant.connections
        assert sum(accounts_holding(state.leases, now_us).values()) <= cap


def test_every_account_gets_its_part_of_the_connections_within_two_rounds() -> None:
    limits, state = AccountLimits(connections=6), AccountState()
    given_: dict[str, int] = {}
    for _ in range(3):
        for name in ("w1/support", "w1/sales", "w2/support"):
            state, grant = take(state, limits, worker=name, permits=0, connections=5, now_us=NOW)
            given_[name] = grant.connections
    assert given_ == {"w1/support": 2, "w1/sales": 2, "w2/support": 2}
    assert accounts_holding(state.leases, NOW) == {"support": 4, "sales": 2}


def test_both_allow_what_each_allows_and_the_later_turn_counts() -> None:
    own, shared = Grant(5, 3, 100, None, 10, 2), Grant(4, 1, 90, None, 20, 1)
    assert both(own, shared, "relay") == Grant(4, 1, 90, None, 20, 2)


def test_holds_name_the_gateway() -> None:
    server = Server("relay", AccountLimits.parse(["1/h"], connections=1))
    state, grant = take(AccountState(), server.limits, worker="w1/a", permits=1, connections=1, now_us=NOW)
    assert grant.permits == 1
    hold = server_hold(state, server, now_us=NOW)
    assert hold is not None
    assert hold.reason == "The limit that all accounts of the gateway relay share, 1/h, is used up."
    none_left = both(Grant(1, 1, NOW), Grant(0, 0, NOW, Hold("connections", NOW, "connections", "x")), "relay")
    assert none_left.hold is not None
    assert "gateway relay" in none_left.hold.reason


def test_what_a_worker_held_for_any_account_is_free_when_it_is_gone() -> None:
    state, limits = AccountState(), AccountLimits(connections=9)
    for name in HOLDERS:
        state, _ = take(state, limits, worker=name, permits=0, connections=2, now_us=NOW)
    assert {name.partition("/")[0] for name in drop_holder(state, "w1").leases} == {"w2"}
    assert drop_holder(state, "w9") is state
