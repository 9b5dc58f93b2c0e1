"""Sending again: a plan first, a pace, a new deadline."""

from __future__ import annotations

import pytest

from ticketmail.app.usecases.replay import NothingToReplay, Replay
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.scope import Scope

S = DeliveryState
ALL = Scope.parse("all")


def replay(desk) -> Replay:
    return Replay(desk.reading, desk.spool.operating, lane_lifetime_s=lambda lane: desk.facts.lanes[lane])


async def bury(desk, count: int, state: DeliveryState = S.DEAD, cause: str = "relay-denied", lane: str = "reply") -> None:
    """``count`` mails that have ended."""
    if desk.worker_id is None:
        await desk.start_worker()
    for at in range(count):
        desk.accept(f"{cause}-{lane}-{at}@example.net", lane=lane)
    for mail in await desk.claim(lane):
        await desk.end(mail, state, outcome="refused", cause=cause, reply="550 no")


async def test_a_plan_changes_nothing_and_says_how_many_by_cause(desk) -> None:
    await bury(desk, 3)
    await bury(desk, 2, cause="policy")
    plan = replay(desk).plan(ALL, pace_per_s=2.0)
    assert (plan.count, dict(plan.by_cause), plan.takes_s) == (5, {"relay-denied": 3, "policy": 2}, 2.0)
    assert desk.reading.overview().counts[S.DEAD] == 5


async def test_a_cause_is_replayed_at_its_pace_with_the_lanes_deadline_from_each_turn_on(desk) -> None:
    await bury(desk, 3)
    await bury(desk, 1, cause="policy")
    desk.clock.go(100)
    case = replay(desk)
    done = case.run(case.plan(Scope.parse("cause:relay-denied"), pace_per_s=2.0), actor="mia", reason="relay repaired")
    assert done.count == 3
    queued = sorted(desk.reading.find(ALL, states=[S.QUEUED]), key=lambda view: view.due_us)
    assert [view.due_us - desk.clock.at for view in queued] == [0, 500_000, 1_000_000]
    assert {view.deadline_us - view.due_us for view in queued} == {259_200_000_000}
    assert desk.reading.overview().counts[S.DEAD] == 1


async def test_the_longest_of_several_lanes_is_the_deadline(desk) -> None:
    await bury(desk, 1)
    await bury(desk, 1, lane="code")
    assert replay(desk).plan(ALL).lifetime_us == 259_200_000_000


async def test_only_what_was_asked_for_is_replayed_and_dismissed_letters_are_left_alone(desk) -> None:
    await bury(desk, 1)
    await bury(desk, 1, state=S.FAILED, cause="unknown-recipient")
    desk.spool.operating.dismiss(Scope.parse("cause:relay-denied"), actor="mia", reason="read")
    with pytest.raises(NothingToReplay, match="`ticketmail dead list`"):
        replay(desk).plan(ALL)
    assert replay(desk).plan(ALL, states=[S.DEAD, S.FAILED]).count == 1


async def test_what_is_being_sent_or_was_sent_is_never_replayed(desk) -> None:
    await bury(desk, 1, state=S.SENT)
    with pytest.raises(NothingToReplay):
        replay(desk).plan(ALL, states=[S.SENT, S.SENDING, S.QUEUED])


async def test_a_limit_replays_the_oldest(desk) -> None:
    await bury(desk, 3)
    case = replay(desk)
    plan = case.plan(ALL, limit=2)
    assert plan.count == 2
    assert case.run(plan, actor="mia", reason="a try", limit=2).count == 2
    assert desk.reading.overview().counts[S.DEAD] == 1
