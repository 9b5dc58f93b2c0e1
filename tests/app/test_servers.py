"""Accounts of one server: its connections and windows are shared over accounts and workers, through the spool."""

from __future__ import annotations

from typing import Any

from ticketmail.adapters.memory import create
from ticketmail.app.settings import Settings
from ticketmail.app.settings_limits import limits_by_account, servers_of
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.report import Times, limits_view, surroundings
from ticketmail.app.wiring.facts import facts_of
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.testing.spool_contract.kit import SECOND, ContractClock


class Relay:
    """A gateway with two accounts, and workers on one spool."""

    def __init__(self, **gateway: Any) -> None:
        self.clock = ContractClock()
        self.spool = create("memory://", SpoolOptions(clock=self.clock))
        accounts: Any = {name: {"gateway": "relay"} for name in ("support", "sales")}
        accounts["alone"] = {"url": "smtp://other.example.com"}
        gateways: Any = {"relay": {"url": "smtp://relay.example.com", **gateway}}
        self.settings = Settings(accounts=accounts, gateways=gateways)

    async def worker(self) -> AccountHealth:
        async def pauses() -> list[Any]:
            return []

        health = AccountHealth(
            self.spool.worker_side().book,
            limits_by_account(self.settings),
            pauses=pauses,
            now_us=self.clock.now_us,
            jitter=lambda: 0.5,
            servers=servers_of(self.settings),
        )
        await health.refresh()
        return health

    def view(self, account: str) -> Any:
        around = surroundings(self.spool.reading, facts_of(self.settings))
        return limits_view(account, around, Times(around.now_us))


async def _connections(health: AccountHealth, account: str, worker: str, in_use: int = 0) -> int:
    grant = await health.take(account, worker, permits=0, connections=5, in_use=in_use)
    return grant.connections


async def test_connections_of_a_gateway_are_shared_over_accounts_and_workers() -> None:
    relay = Relay(connections=4)
    one, two = await relay.worker(), await relay.worker()
    held: dict[tuple[str, str], int] = {}
    for _ in range(8):
        for name, health in (("w1", one), ("w2", two)):
            for account in ("support", "sales"):
                held[name, account] = await _connections(health, account, name, in_use=held.get((name, account), 0))
        relay.clock.go(6 * SECOND)
    assert sum(held.values()) == 4
    assert set(held.values()) == {1}
    assert await _connections(one, "alone", "w1") == 5


async def test_who_is_the_only_one_has_them_all_and_a_worker_that_is_gone_frees_them() -> None:
    relay = Relay(connections=3)
    one, two = await relay.worker(), await relay.worker()
    assert await _connections(one, "support", "w1") == 3
    assert await _connections(two, "sales", "w2") == 0
    await two.drop("w1")
    assert await _connections(two, "sales", "w2") == 3


async def test_windows_of_a_gateway_count_the_mails_of_all_its_accounts_all_or_nothing() -> None:
    relay = Relay(limits=["10/h"])
    one, two = await relay.worker(), await relay.worker()
    first = await one.take("support", "w1", permits=8, connections=2, in_use=0)
    second = await two.take("sales", "w2", permits=8, connections=2, in_use=0)
    assert (first.permits, second.permits) == (8, 2)
    await one.give_back("support", "w1", 3)
    assert (await two.take("sales", "w2", permits=8, connections=2, in_use=0)).permits == 3
    await one.refresh()
    hold = one.holds()["support"]
    assert hold is not None
    assert "gateway relay" in hold.reason
    assert one.holds()["alone"] is None
    none = await one.take("support", "w1", permits=1, connections=2, in_use=0)
    assert (none.permits, none.hold and none.hold.kind) == (0, "quota")


async def test_bytes_of_a_gateway_are_counted_over_its_accounts() -> None:
    relay = Relay(limits=["10KiB/h"])
    health = await relay.worker()
    assert await health.charge("support", "w1", recipients=0, size_bytes=9_000) is None
    hold = await health.charge("sales", "w1", recipients=0, size_bytes=9_000)
    assert hold is not None
    assert "gateway relay" in hold.reason


async def test_people_see_what_is_shared_and_by_whom_it_is_held() -> None:
    relay = Relay(connections=4, limits=["10/h"])
    health = await relay.worker()
    await health.take("support", "w1", permits=10, connections=5, in_use=0)
    view = relay.view("sales")
    assert (view.shared.gateway, view.shared.connections_held, view.shared.connections) == ("relay", 4, 4)
    assert view.shared.held_by_account == {"support": 4}
    (window,) = view.shared.windows
    assert (window.used, window.allowed, window.source) == (10, 10, "gateway relay")
    (hold,) = view.holds
    assert hold.scope == "gateway:relay"
    assert "share" in hold.text
    assert relay.view("alone").shared is None
