"""Routes by sender; another account takes over for faults of account or gateway only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.holds import Hold, HoldKind
from ticketmail.domain.outbound.routing import Routes, groups_of, may_send, preferred, serving

TABLE = {"Support@example.com": ["support", "rescue"], "example.com": ["support"], "@example.org": ["org"], "*": ["rescue"]}
ACCOUNTS = ("support", "rescue", "org")
KINDS: tuple[HoldKind, ...] = ("rate", "quota", "breaker", "throttle", "connections", "pause")


def hold(kind: HoldKind) -> Hold:
    return Hold(kind, 1, "cause", "A sentence.")


@pytest.mark.parametrize(
    ("sender", "route", "accounts"),
    [
        ("support@example.com", "support@example.com", ("support", "rescue")),
        ("SUPPORT@Example.com", "support@example.com", ("support", "rescue")),
        ("sales@example.com", "example.com", ("support",)),
        ("x@example.org", "example.org", ("org",)),
        ("x@sub.example.com", "*", ("rescue",)),
        ("", "*", ("rescue",)),
    ],
)
def test_the_senders_address_goes_before_its_domain_before_the_rest(sender: str, route: str, accounts: tuple[str, ...]) -> None:
    routes = Routes.parse(TABLE, ACCOUNTS)

    assert routes.route_of(sender) == route
    assert routes.accounts_of(route) == accounts


def test_without_a_table_all_accounts_serve_everyone_in_their_order() -> None:
    routes = Routes.parse({}, ACCOUNTS)

    assert routes.route_of("anybody@anywhere.example") == "*"
    assert routes.accounts_of("*") == ACCOUNTS


def test_a_sender_that_no_route_fits_gets_no_strangers_account() -> None:
    routes = Routes.parse({"example.com": ["support"]}, ACCOUNTS)

    assert routes.accounts_of(routes.route_of("x@example.org")) == ()
    assert routes.accounts_of("a-route-of-yesterday") == ()


@pytest.mark.parametrize(
    ("table", "said"), [({"x": []}, "at least one"), ({"x": ["a", "a"]}, "twice"), ({"x": ["suport"]}, "Did you mean 'support'")]
)
def test_a_route_that_cannot_be_is_refused(table: dict[str, list[str]], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        Routes.parse(table, ["support", "a"])

    assert caught.value.name == "routes.x"


IN_ORDER = groups_of(["a", "b"])


def test_the_first_account_that_is_well_serves() -> None:
    assert serving(IN_ORDER, {}, {}) == ("a",)
    assert serving(IN_ORDER, {"a": hold("breaker")}, {}) == ("b",)
    assert serving(IN_ORDER, {"a": hold("breaker"), "b": hold("quota")}, {}) == ()
    assert serving((), {}, {}) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_only_trouble_moves_mail_on_and_a_short_limit_is_waited_for(kind: HoldKind) -> None:
    assert serving(IN_ORDER, {"a": hold(kind)}, {}) == (("b",) if kind in ("breaker", "quota", "pause") else ())


@given(st.lists(st.sampled_from("abc"), unique=True), st.dictionaries(st.sampled_from("abc"), st.sampled_from(KINDS).map(hold)))
def test_no_held_account_ever_serves(accounts: list[str], holds: dict[str, Hold]) -> None:
    chosen = serving(groups_of(accounts), holds, {})

    assert len(chosen) <= 1
    assert set(chosen) <= set(accounts) - set(holds)


GROUPS = groups_of([["a", "b"], "rescue"])


def test_equals_share_by_headroom_and_the_rescue_only_takes_over() -> None:
    assert serving(GROUPS, {}, {"a": 0.2, "b": 0.9, "rescue": 1.0}) == ("b", "a")
    assert serving(GROUPS, {"b": hold("rate")}, {}) == ("a",)
    assert serving(GROUPS, {"a": hold("quota"), "b": hold("breaker")}, {}) == ("rescue",)


def test_while_one_equal_only_waits_for_its_rate_the_rescue_waits_too() -> None:
    assert serving(GROUPS, {"a": hold("quota"), "b": hold("rate")}, {}) == ()


def test_a_route_keeps_its_groups_and_is_flat_for_who_only_asks_for_accounts() -> None:
    routes = Routes.parse({"*": [["a", "b"], "rescue"]}, ["a", "b", "rescue"])

    assert routes.groups_of("*") == (("a", "b"), ("rescue",))
    assert routes.accounts_of("*") == ("a", "b", "rescue")
    with pytest.raises(SettingsError, match="twice"):
        Routes.parse({"*": [["a", "b"], "a"]}, ["a", "b"])


@given(st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=2, max_size=6, unique=True))
def test_a_ticket_keeps_its_account_when_another_comes_or_goes(names: list[str]) -> None:
    for ticket in map(str, range(30)):
        before = preferred(ticket, names)
        gone = [name for name in names if name != names[0]]

        assert preferred(ticket, list(reversed(names))) == before
        if before in gone:
            assert preferred(ticket, gone) == before


def test_tickets_are_spread_over_equals() -> None:
    kept = [preferred(str(number), ["a", "b", "c"]) for number in range(300)]

    assert min(kept.count(name) for name in "abc") > 60


@pytest.mark.parametrize(
    ("senders", "route", "may"),
    [
        ((), "*", True),
        ((), "x@example.com", True),
        (("x@example.com",), "x@example.com", True),
        (("example.com",), "x@example.com", True),
        (("x@example.com",), "example.com", False),
        (("example.com",), "x@sub.example.com", False),
        (("example.com",), "*", False),
    ],
)
def test_an_account_serves_a_route_only_if_it_may_send_as_all_of_it(senders: tuple[str, ...], route: str, may: bool) -> None:
    assert may_send(senders, route) is may
