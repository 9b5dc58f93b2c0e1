"""What a worker does beside sending."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from app.worker.scene import Told
from ticketmail.adapters.memory import create
from ticketmail.app.housekeeping import BATCH, Housekeeping
from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import routes_of
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.spool_contract.kit import HOUR, MINUTE, ContractClock, entry


def housekeeping(
    spool: SpoolAdapter,
    alerts: Alerts | None = None,
    settings: Mapping[str, object] | None = None,
    timing: Timing | None = None,
) -> Housekeeping:
    side = spool.worker_side()
    made = Settings.model_validate(dict(settings or {"accounts": {"support": {"url": "null://"}}}))
    told = alerts or Alerts(side.book, [], log=Told(), site="desk")
    return Housekeeping(side.upkeep, made, routes=routes_of(made), alerts=told, reading=spool.reading, timing=timing or Timing())


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


@pytest.mark.parametrize(
    ("lane", "minutes", "level"),
    [
        ("reply", 9, None),
        ("reply", 11, "warn"),
        ("reply", 61, "page"),
        ("code", 6, None),
        ("code", 8, "page"),  # half of its quarter of an hour
        ("notice", 300, None),
        ("notice", 370, "page"),
        ("bulk", 1000, None),
    ],
)
async def test_mail_that_waits_too_long_for_its_lane_is_an_alarm_whatever_holds_it(
    lane: str, minutes: int, level: str | None
) -> None:
    clock, told = ContractClock(), Told()
    spool = create("memory://", SpoolOptions(clock=clock))
    spool.intake.accept([entry(lane=lane, lifetime_us=48 * HOUR)])
    clock.go(minutes * MINUTE)

    await housekeeping(spool, Alerts(spool.worker_side().book, [], log=told, site="desk")).turn()

    assert [(alert.title, alert.level) for alert in told.alerts] == ([("Mail is late", level)] if level else [])


@pytest.mark.parametrize(
    ("days", "told"), [(30, []), (20, [("OAuth2 of mailbox help ends", "warn")]), (2, [("OAuth2 of mailbox help ends", "page")])]
)
async def test_a_grant_that_ends_is_told_while_there_is_time(days: int, told: list[tuple[str, str]]) -> None:
    clock = ContractClock()
    spool = create("memory://", SpoolOptions(clock=clock))
    sink = Told()
    alerts = Alerts(spool.worker_side().book, [sink], log=Told(), site="desk")
    ends = datetime.fromtimestamp(spool.reading.now_us() / 1e6, UTC).date() + timedelta(days=days)
    token = {"url": "https://login.example/token", "client_id": "x", "expires": ends}
    box = {"url": "imaps://imap.example.com", "user": "help@example.com", "auth": "oauth2", "token": token}

    await housekeeping(spool, alerts, {"mailboxes": {"help": box}}).turn()
    assert [(one.title, one.level) for one in sink.alerts] == told

    await housekeeping(spool, alerts, {"mailboxes": {"help": {**box, "token": {**token, "expires": None}}}}).turn()
    assert [one.resolved for one in sink.alerts] == ([False, True] if told else [])


async def test_what_a_host_has_changed_meanwhile_is_looked_at() -> None:
    clock = ContractClock()
    spool = create("memory://", SpoolOptions(clock=clock))
    sink = Told()
    house = housekeeping(spool, Alerts(spool.worker_side().book, [sink], log=Told(), site="desk"))
    await house.turn()

    ends = datetime.fromtimestamp(spool.reading.now_us() / 1e6, UTC).date() + timedelta(days=2)
    token = {"url": "https://login.example/token", "client_id": "x", "expires": ends}
    account = {"url": "smtp://desk@127.0.0.1:2525", "auth": "oauth2", "token": token}
    changed = Settings.model_validate({"accounts": {"desk": account}})
    house.use(changed, routes_of(changed))
    house.hurry()
    await house.turn()

    assert [one.title for one in sink.alerts] == ["OAuth2 of account desk ends"]


async def test_retention_is_looked_at_ten_minutes_after_the_start_and_every_hour() -> None:
    days, minutes = ContractClock(), ContractClock()
    spool = create("memory://", SpoolOptions(clock=days))
    house = housekeeping(spool, timing=Timing(clock=minutes))
    kept: list[bool] = []
    for passed in (1, 8, 1, 59, 1):
        digest = spool.blobs.put("", b"nobody's")
        days.go(8 * 24 * HOUR)
        minutes.go(passed * MINUTE)
        await house.turn()
        kept.append(has(spool, digest))
    assert kept == [True, True, False, True, False]


def has(spool: SpoolAdapter, digest: str) -> bool:
    try:
        spool.blobs.get("", digest)
    except KeyError:
        return False
    return True
