"""Profiles, senders and gateways in settings: what is refused, what follows from what is said."""

from __future__ import annotations

from typing import Any

import pytest

from ticketmail.app.settings import Settings
from ticketmail.app.settings_limits import combined_of, gateway_limits_of, limits_of, profile_of
from ticketmail.app.settings_outbound import missing_of, routes_of
from ticketmail.app.settings_source import load
from ticketmail.app.wiring.facts import facts_of
from ticketmail.domain.errors import SettingsError


def checked(**names: Any) -> Settings:
    return load({}, code=names, environ={}).settings


def refusal(**names: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        checked(**names)
    return str(caught.value)


def account(**names: Any) -> dict[str, Any]:
    return {"accounts": {"a": {"url": "smtp://u:p@smtp.office365.com", **names}}}


def test_a_known_host_gets_its_vendors_profile_unless_settings_say_none() -> None:
    told, off = checked(**account()), checked(**account(profile="none"))

    assert [str(one) for one in limits_of(told, "a").windows] == ["30/min", "10000/day recipients"]
    assert limits_of(told, "a").connections == 3
    assert facts_of(told).accounts["a"].sources["connections"] == "profile office365"
    assert profile_of(off, "a") is None
    assert limits_of(off, "a").windows == ()


def test_a_gateways_host_is_known_too() -> None:
    made = checked(gateways={"g": "smtp://smtp.gmail.com"}, accounts={"a": {"gateway": "g", "user": "u"}})

    assert limits_of(made, "a").max_recipients == 100


def test_an_unknown_profile_names_the_nearest() -> None:
    text = refusal(**account(profile="ofice365"))

    assert text.startswith("accounts.a.profile: ")
    assert "Did you mean 'office365'?" in text


def test_a_gateways_cap_is_its_accounts_default_and_holds_for_all_together() -> None:
    made = checked(
        gateways={"g": {"url": "smtp://h", "connections": 4, "limits": ["60/min"]}, "free": "smtp://i"},
        accounts={"a": {"gateway": "g"}, "b": {"gateway": "g", "connections": 2}},
    )

    assert (limits_of(made, "a").connections, limits_of(made, "b").connections) == (4, 2)
    assert combined_of(made, "a").sources["connections"] == "gateway g"
    assert {name: (one.connections, str(one.windows[0])) for name, one in gateway_limits_of(made).items()} == {"g": (4, "60/min")}


def test_a_gateways_limit_that_is_none_is_refused() -> None:
    assert "gateways.g.limits" in refusal(gateways={"g": {"url": "smtp://h", "limits": ["many"]}})


@pytest.mark.parametrize(
    ("route", "accounts", "said"),
    [
        ("*", ["a"], "not as anybody"),
        ("example.com", ["a"], "not as example.com"),
        ("x@example.org", [["b", "a"]], "not as x@example.org"),
    ],
)
def test_a_route_by_an_account_that_may_not_send_as_its_sender_is_refused(route: str, accounts: list[Any], said: str) -> None:
    text = refusal(accounts={"a": {"url": "null://", "senders": ["help@example.com"]}, "b": "null://"}, routes={route: accounts})

    assert text.startswith(f"routes.{route}: ")
    assert said in text
    assert "accounts.a.senders" in text


def test_alarms_are_mailed_only_as_a_sender_of_their_account() -> None:
    accounts = {"a": {"url": "null://", "senders": "example.com"}}
    alerts = {"mail_to": "ops@example.org", "mail_account": "a", "mail_from": "x@example.org"}

    assert refusal(accounts=accounts, alerts=alerts).startswith("alerts.mail_from: ")


def test_a_senders_accounts_stand_in_the_order_of_the_settings() -> None:
    made = checked(
        accounts={
            "all": "null://",
            "desk": {"url": "null://", "senders": ["a.example"]},
            "one": {"url": "null://", "senders": ["help@a.example"]},
            "more": {"url": "null://", "senders": ["a.example", "b.example"]},
        }
    )
    routes = routes_of(made)
    assert routes.accounts_of("help@a.example") == ("desk", "one", "more")
    assert (routes.accounts_of("a.example"), routes.accounts_of("*")) == (("desk", "more"), ("all",))


def test_senders_make_routes_of_their_own_and_keep_the_account_from_all_others() -> None:
    made = checked(
        accounts={
            "a": {"url": "null://", "senders": ["help@a.example", "b.example"]},
            "b": {"url": "null://", "senders": ["b.example"]},
            "c": "null://",
        }
    )
    routes = routes_of(made)

    assert routes.accounts_of(routes.route_of("help@a.example")) == ("a",)
    assert routes.accounts_of(routes.route_of("x@b.example")) == ("a", "b")
    assert routes.accounts_of(routes.route_of("x@c.example")) == ("c",)


def test_at_run_time_a_route_leaves_out_who_is_gone_or_not_aligned_and_says_so() -> None:
    made = checked(accounts={"a": "null://", "b": "null://"}, routes={"*": [["a", "b"]], "x.example": ["a"]})
    later = made.model_copy(update={"accounts": {"b": made.accounts["b"].model_copy(update={"senders": ("y.example",)})}})

    assert routes_of(later).accounts_of("*") == ()
    assert missing_of(later) == {"*": ("a", "b"), "x.example": ("a",)}
