"""Is mail leaving? The level is the exit code, and every reason is there."""

from __future__ import annotations

from dataclasses import replace

from ticketmail.app.usecases.report import AccountFacts, Level, Status
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.outbound.server import Server
from ticketmail.domain.ports.delivering import Change
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope

S = DeliveryState


def subjects(found: Status, level: Level) -> list[str]:
    return [one.subject for one in found.findings if one.level is level]


async def test_an_idle_desk_with_a_worker_is_well(desk) -> None:
    await desk.start_worker()
    found = desk.status()
    assert (found.level, found.level.exit_code) == (Level.OK, 0)
    assert found.headline == "Nothing is waiting; nothing was ever sent."
    assert [worker.pid for worker in found.workers] == [4711]


async def test_mail_that_leaves_says_so(desk) -> None:
    await desk.start_worker()
    desk.accept()
    [mail] = await desk.claim()
    await desk.end(mail, S.SENT, outcome="taken")
    desk.accept()
    desk.clock.go(5)
    found = desk.status()
    assert found.level is Level.OK
    assert found.headline == "Mail is leaving: 1 due, 1 waiting in all; the last mail left 5 s ago."
    assert found.counts == {"sent": 1, "queued": 1}


async def test_waiting_mail_without_a_worker_is_bad(desk) -> None:
    desk.accept()
    found = desk.status()
    assert found.level.exit_code == 2
    assert found.headline.startswith("Mail is not leaving: no worker is alive, 1 waiting")


async def test_no_worker_and_no_mail_is_only_worth_a_look(desk) -> None:
    assert desk.status().level.exit_code == 1


async def test_each_lane_is_late_by_its_own_deadline(desk) -> None:
    """A login code of 15 minutes is late after a tenth of that, a reply of 3 days after 5 minutes."""
    await desk.start_worker()
    desk.accept(lane="code")
    desk.accept("bob@example.net")
    await desk.later(100)
    levels = {lane.lane: lane.level for lane in desk.status().lanes}
    assert levels == {"code": Level.WARN, "reply": Level.OK}
    await desk.later(400)
    found = desk.status()
    levels = {lane.lane: (lane.level, lane.oldest_due_s) for lane in found.lanes}
    assert levels == {"code": (Level.BAD, 500.0), "reply": (Level.WARN, 500.0)}
    assert found.level is Level.BAD


async def test_a_lane_is_counted_over_all_its_routes(desk) -> None:
    await desk.start_worker()
    desk.accept()
    desk.accept("bob@example.net", route="example.org")
    [lane] = desk.status().lanes
    assert (lane.queued, lane.due) == (2, 2)


async def test_a_pause_is_a_hold_with_its_end_and_a_warning(desk) -> None:
    await desk.start_worker()
    desk.accept()
    desk.spool.operating.pause(Pause(Scope.parse("all"), desk.clock.at, desk.clock.at + 60_000_000, "moving", "mia"))
    found = desk.status()
    [hold] = found.holds
    assert (hold.scope, hold.until_us) == ("all", desk.clock.at + 60_000_000)
    assert found.level is Level.WARN
    assert found.headline.startswith("Mail is held: 1 due, and all is paused since 09:00:00 +01:00 by mia: moving")


async def test_a_broken_login_is_bad_and_a_throttle_is_pace(desk) -> None:
    await desk.start_worker()
    desk.accept()
    await desk.fault(Fault("throttled-rate", FaultScope.ACCOUNT, Advice.WAIT, retry_after_s=30, text="450 4.7.1 slow down"))
    found = desk.status()
    assert found.level is Level.OK
    assert found.headline.startswith("Mail is leaving as its limits let it: 1 due")
    assert found.accounts[0].state == "held (throttle)"
    await desk.later(60)
    await desk.fault(Fault("auth-failed", FaultScope.ACCOUNT, Advice.WAIT, alarm=True, text="535 5.7.8 no"))
    found = desk.status()
    assert found.level is Level.BAD
    assert (found.accounts[0].level, found.accounts[0].state) == (Level.BAD, "held (breaker)")
    assert subjects(found, Level.BAD) == ["breaker"]


async def test_a_gateway_that_is_held_is_told_once_however_many_accounts_it_has(desk) -> None:
    await desk.start_worker()
    relay = AccountFacts(shares=Server("relay", AccountLimits.parse(["2/day"])))
    desk.facts = replace(desk.facts, accounts={"sales": relay, "news": relay}, routes={"*": ("sales", "news")})
    desk.accept()

    def step(content: bytes | None, now_us: int) -> tuple[Change, None]:
        state, _ = take(AccountState(), relay.shares.limits, worker="w/news", permits=2, connections=1, now_us=now_us)
        return Change(state.to_json()), None

    await desk.side.book.change("gateway", "relay", step)
    assert [hold.scope for hold in desk.status().holds] == ["gateway:relay"]


async def test_a_route_without_an_account_is_bad_and_counted(desk) -> None:
    await desk.start_worker()
    desk.accept(route="example.org")
    desk.accept("bob@example.net", route="example.org")
    [hold] = desk.status().holds
    assert hold.text == "no account may send for the route 'example.org' (2 waiting)"
    assert desk.status().level is Level.BAD


async def test_modes_in_which_nobody_is_mailed_are_bad_even_when_all_else_is_well(desk) -> None:
    await desk.start_worker()
    desk.facts = replace(desk.facts, modes=("mode = shadow: nobody is mailed.",))
    found = desk.status()
    assert found.level is Level.BAD
    assert found.headline == "Nobody, or not everybody, is mailed: mode = shadow: nobody is mailed."


async def test_a_foreign_spool_is_bad(desk) -> None:
    await desk.start_worker()
    desk.facts = replace(desk.facts, site="staging")
    found = desk.status()
    assert subjects(found, Level.BAD) == ["spool"]
    assert "`ticketmail adopt --hold staging --reason ...`" in next(
        one.remedy for one in found.findings if one.subject == "spool"
    )


async def test_dead_letters_and_unknowns_wait_for_a_human(desk) -> None:
    await desk.start_worker()
    desk.accept()
    desk.accept("bob@example.net")
    first, second = await desk.claim()
    await desk.end(first, S.DEAD, outcome="refused", cause="relay-denied", reply="550 no")
    await desk.end(second, S.UNKNOWN, outcome="unclear", due_us=desk.clock.at + 60_000_000)
    found = desk.status()
    assert found.level is Level.WARN
    assert subjects(found, Level.WARN) == ["dead", "unknown"]
    assert "1 dead letter waits for a human: 'relay-denied'." in [one.text for one in found.findings]


async def test_events_that_nobody_takes_are_told_after_ten_minutes(desk) -> None:
    await desk.start_worker()
    desk.accept()
    desk.spool.operating.cancel(Scope.parse("all"), actor="mia", reason="test")
    assert "events" not in subjects(desk.status(), Level.WARN)
    await desk.later(601)
    assert subjects(desk.status(), Level.WARN) == ["events"]
    assert desk.status().events_waiting == 1


async def test_a_worker_that_ended_in_order_is_not_shown(desk) -> None:
    await desk.start_worker()
    await desk.side.workers.retire(desk.worker_id)
    assert desk.status().workers == ()
    assert subjects(desk.status(), Level.WARN) == ["workers"]


async def test_an_account_that_is_gone_from_the_settings_is_still_told_of(desk) -> None:
    await desk.start_worker()
    await desk.fault(Fault("auth-failed", FaultScope.ACCOUNT, Advice.WAIT, alarm=True, text="535 no"), account="old")
    assert [(one.name, one.state) for one in desk.status().accounts] == [("old", "not in the settings"), ("support", "well")]


async def test_an_account_that_mails_nobody_is_red(desk) -> None:
    desk.facts = replace(desk.facts, accounts={"support": AccountFacts(network=False)})
    assert [(one.level, one.network) for one in desk.status().accounts] == [(Level.BAD, False)]
