"""What a worker does beside sending."""

from __future__ import annotations

from collections.abc import Mapping

from ticketmail.adapters.memory import create
from ticketmail.app.housekeeping import BATCH, Housekeeping
from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import routes_of
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.spool_contract.kit import HOUR, ContractClock, entry


class Told:
    """A way to administrators that remembers."""

    via_accounts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def send(self, alert: Alert) -> None:
        self.alerts.append(alert)


def housekeeping(spool: SpoolAdapter, alerts: Alerts | None = None, settings: Mapping[str, object] | None = None) -> Housekeeping:
    side = spool.worker_side()
    made = Settings.model_validate(dict(settings or {"accounts": {"support": {"url": "null://"}}}))
    told = alerts or Alerts(side.book, [], log=Told(), site="desk")
    return Housekeeping(side.upkeep, made, routes=routes_of(made), alerts=told, reading=spool.reading, timing=Timing())


async def test_all_that_is_past_its_deadline_ends_in_one_turn_however_much_it_is() -> None:
    clock = ContractClock()
    spool = create("memory://", SpoolOptions(clock=clock))
    spool.intake.accept([entry(f"u{number}@example.net", lifetime_us=HOUR) for number in range(2 * BATCH + 1)])
    clock.go(2 * HOUR)

    await housekeeping(spool).turn()

    assert spool.reading.overview().counts == {DeliveryState.DEAD: 2 * BATCH + 1}


async def test_an_alarm_that_another_worker_raised_is_over_when_this_one_sends() -> None:
    spool = create("memory://", SpoolOptions(clock=ContractClock()))
    book = spool.worker_side().book
    alerts = Alerts(book, [], log=Told(), site="desk")
    await alerts.occurred("account:support:auth-failed", level="page", title="no login", accounts=("support",))
    house = housekeeping(spool, alerts)

    await house.turn()

    assert house.well("support") == {"auth-failed"}
    assert house.well("support") == set()
