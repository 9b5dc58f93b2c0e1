"""limits: used, allowed, from whom, when there is room again."""

from __future__ import annotations

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.outbound.windows import AHEAD_US
from ticketmail.domain.ports.delivering import Change


def take_permits(desk, windows: list[str], count: int, *, connections: int = 2, share: float = 1.0) -> None:
    """A worker that stays alive takes ``count`` permits, and leases connections."""
    limits = AccountLimits.parse(windows, share=share)

    async def work(side, worker_id) -> None:
        def step(content, now_us):
            state = AccountState.from_json(content)
            for _ in range(count):
                state, _ = take(state, limits, worker=worker_id.hex, permits=1, connections=connections, now_us=now_us)
            return Change(state.to_json()), None

        await side.book.change("account", "support", step)

    desk.on_spool(work, retire=False)


def test_a_window_says_used_allowed_source_and_when_there_is_room(desk) -> None:
    take_permits(desk, ["10/min", "2000/day"], 1)
    ran = desk.run("limits", "support", "--json")
    (account,) = ran.json
    minute, day = account["windows"]

    assert ran.code == 1, "10/min has a burst of 1: the account is held for six seconds"
    assert (minute["window"], minute["used"], minute["allowed"], minute["source"]) == ("10/min", 1, 10, "settings")
    assert minute["next_us"] == minute["free_us"] - AHEAD_US
    assert (day["used"], day["allowed"]) == (1, 2000)
    assert day["free_us"] - day["next_us"] > 86_000_000_000
    assert [hold["kind"] for hold in account["holds"]] == ["rate"]


def test_connections_are_told_by_worker(desk) -> None:
    take_permits(desk, ["2000/day"], 1, connections=3)
    (account,) = desk.run("limits", "--json").json
    assert (account["connections_held"], account["connections"]) == (3, 5)
    assert [(one["process"], one["held"]) for one in account["leases"]] == [("mailhost:1", 3)]
    assert "connections: 3 of 5 leased (3 by mailhost:1)" in desk.run("limits").out


def test_of_a_gateway_that_accounts_share_its_connections_are_told_and_not_what_each_might_have_alone(desk) -> None:
    accounts = "".join(f'[accounts.{name}]\ngateway = "relay"\n' for name in ("support", "sales"))
    desk.write(f'spool = "sqlite:///spool.db"\n[gateways.relay]\nurl = "null://"\nconnections = 2\n{accounts}')
    lines = [line for line in desk.run("limits").out.splitlines() if "leased" in line]
    assert lines == ["connections of gateway relay: 0 of 2 leased"] * 2


def test_a_share_shows_both_figures(desk) -> None:
    desk.write('spool = "sqlite:///spool.db"\n[accounts.support]\nurl = "null://"\nlimits = ["1000/day"]\nshare = 0.7\n')
    out = desk.run("limits").out
    assert "70% of each limit is ours" in out
    assert "700 (of 1000)" in out


def test_what_each_tenant_may_send_is_shown_before_any_has_sent(desk) -> None:
    desk.write('spool = "sqlite:///spool.db"\n[accounts.support]\nurl = "null://"\nlimits = ["1000/day", "200/h per tenant"]\n')
    assert "each tenant: 200/h (settings)" in desk.run("limits").out
    (account,) = desk.run("limits", "--json").json
    (one,) = account["of_each_tenant"]
    assert (one["allowed"], one["used"]) == (200, 0)


def test_a_used_up_quota_names_when_the_next_place_is_free(desk) -> None:
    desk.write('spool = "sqlite:///spool.db"\n[accounts.support]\nurl = "null://"\nlimits = ["5/day@UTC"]\n')
    take_permits(desk, ["5/day@UTC"], 5)
    (account,) = desk.run("limits", "--json").json
    (day,) = account["windows"]
    assert day["used"] == 5
    assert day["next"].endswith("T00:00:00.000000Z")
    assert account["holds"][0]["until_us"] == day["next_us"]


def test_an_account_that_there_is_not_names_those_there_are(desk) -> None:
    ran = desk.run("limits", "nobody")
    assert ran.code == 2
    assert "Known: support." in ran.err
