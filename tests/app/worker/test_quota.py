"""Alarms about quotas: one when it is used up, with the reset and who waits; a warning before; both over when there is room."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from app.worker.scene import Told
from ticketmail.adapters.memory import create
from ticketmail.app.usecases.alert import KIND, Alerts
from ticketmail.app.usecases.quota import QuotaAlarms
from ticketmail.app.usecases.report import AccountFacts, Facts, Times, surroundings
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.outbound.settling import settle_fault, settle_success
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.delivering import Change
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.testing.spool_contract.kit import HOUR, ContractClock, entry

QUOTA = Fault(
    "quota", FaultScope.ACCOUNT, Advice.WAIT, alarm=True, text="550 5.4.5 Daily sending limit exceeded", retry_after_s=7200
)


class Day:
    """An account with a quota, and what administrators hear."""

    def __init__(self, window: str) -> None:
        self.clock = ContractClock()
        self.spool = create("memory://", SpoolOptions(clock=self.clock))
        self.book = self.spool.worker_side().book
        self.limits = AccountLimits.parse([window])
        self.told = Told()
        self.alarms = QuotaAlarms(
            Alerts(self.book, [self.told], log=Told(), site="desk"), times=lambda now_us: Times(now_us, UTC)
        )
        accounts = {"support": AccountFacts(limits=self.limits)}
        self.facts = Facts(
            site="desk", accounts=accounts, routes={entry("a@example.net").route: ("support",)}, weights={"reply": 32, "bulk": 1}
        )

    async def use(self, count: int) -> None:
        def step(state: AccountState, now_us: int) -> AccountState:
            return take(state, self.limits, worker="w", permits=count, connections=1, now_us=now_us)[0]

        await self._change(step)

    async def refuse(self, fault: Fault) -> None:
        await self._change(lambda state, now_us: settle_fault(state, fault, now_us=now_us, jitter=0.0)[0])

    async def take(self) -> None:
        await self._change(lambda state, now_us: settle_success(state, now_us=now_us)[0])

    async def look(self) -> list[Alert]:
        """What is told by this look."""
        self.told.alerts.clear()
        told = frozenset(self.spool.reading.documents(KIND))
        await self.alarms.look(surroundings(self.spool.reading, self.facts), told)
        return list(self.told.alerts)

    async def _change(self, step: Any) -> None:
        def change(content: bytes | None, now_us: int) -> tuple[Change, None]:
            return Change(step(AccountState.from_json(content), now_us).to_json()), None

        await self.book.change("account", "support", change)


@pytest.fixture
def day() -> Day:
    return Day("100/day")


async def test_nothing_is_told_of_a_quota_with_room(day: Day) -> None:
    await day.use(89)
    assert await day.look() == []


async def test_used_up_is_told_once_with_its_reset_and_who_waits(day: Day) -> None:
    day.spool.intake.accept(
        [entry("a@example.net", lane="reply"), entry("b@example.net", lane="bulk"), entry("c@example.net", lane="bulk")]
    )
    await day.use(100)
    page, warning = sorted(await day.look(), key=lambda one: one.level)
    assert (page.level, page.title, page.accounts) == ("page", "Account support: the quota is used up", ("support",))
    assert "3 mails wait for it (2 bulk, 1 reply)" in page.text
    assert "the next place is free at " in page.text
    assert "in 1 d" in page.text
    assert warning.level == "warn"
    day.clock.go(HOUR // 4)
    assert await day.look() == [], "one alarm, not one a minute"


async def test_ninety_percent_warns_with_when_it_is_used_up(day: Day) -> None:
    await day.use(45)
    day.clock.go(HOUR)
    await day.use(45)
    (warning,) = await day.look()
    assert warning.level == "warn"
    # 90 within the last two hours: the 10 that are left last 13 minutes.
    assert "90 of 100/day are used; at the pace of the last 2 h it is used up at " in warning.text


async def test_both_are_over_when_there_is_room_again(day: Day) -> None:
    await day.use(100)
    await day.look()
    day.clock.go(25 * HOUR)
    over = await day.look()
    assert [one.resolved for one in over] == [True, True]
    assert await day.look() == []


async def test_a_place_that_is_free_for_a_moment_ends_nothing(day: Day) -> None:
    await day.use(5)
    day.clock.go(24 * HOUR)
    await day.use(95)
    assert await day.look()
    day.clock.go(HOUR // 2)  # the first five no longer count
    assert await day.look() == []


async def test_a_quota_that_the_server_names_is_told_in_its_words(day: Day) -> None:
    await day.refuse(QUOTA)
    (page,) = await day.look()
    assert page.text.startswith("The server said 550 5.4.5 Daily sending limit exceeded; it should have room again at ")
    assert "in 2 h" in page.text
    assert "Nothing waits for it." in page.text


async def test_a_reset_that_nobody_named_is_not_made_up(day: Day) -> None:
    await day.refuse(replace(QUOTA, retry_after_s=None))
    (page,) = await day.look()
    assert "; when it resets is not known; one mail is tried at " in page.text


async def test_a_quota_that_the_server_names_is_over_when_a_mail_was_taken_not_when_one_may_be_tried(day: Day) -> None:
    await day.refuse(replace(QUOTA, retry_after_s=None))
    await day.look()
    day.clock.go(3 * HOUR)
    (again,) = await day.look()
    assert not again.resolved, "nobody has tried"
    assert "one mail is tried as soon as one is due." in again.text
    await day.take()
    assert [one.resolved for one in await day.look()] == [True]


async def test_a_quota_for_which_no_mail_comes_to_try_is_forgotten_after_a_day(day: Day) -> None:
    await day.refuse(QUOTA)
    await day.look()
    day.clock.go(24 * HOUR)
    assert [one.resolved for one in await day.look()] == [True]


async def test_an_hourly_limit_is_pace_and_no_alarm() -> None:
    day = Day("100/h")
    await day.use(100)
    assert await day.look() == []


async def test_a_calendar_day_is_used_up_until_midnight_in_its_zone() -> None:
    day = Day("100/day@UTC")
    await day.use(100)
    page = next(one for one in await day.look() if one.level == "page")
    assert " 00:00:00 +00:00" in page.text
