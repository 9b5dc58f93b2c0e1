"""An account's slots in a worker: their number moves, and nobody is let in above it."""

from __future__ import annotations

import asyncio

import pytest

from ticketmail.app.usecases.account_lane import AccountLane, NoSlot, Slots
from ticketmail.domain.outbound.account import AccountLimits


class Crowd:
    """Tasks that want a slot. ``inside`` are those that have one, in the order in which they got it."""

    def __init__(self, slots: Slots, count: int) -> None:
        self.inside: list[int] = []
        self.leave = [asyncio.Event() for _ in range(count)]
        self.tasks = [asyncio.ensure_future(self._one(slots, number)) for number in range(count)]

    async def _one(self, slots: Slots, number: int) -> None:
        async with slots:
            self.inside.append(number)
            await self.leave[number].wait()


async def settled() -> None:
    """Everybody has had a turn."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_waits_is_let_in_in_order_and_when_there_are_more() -> None:
    slots = Slots(2)
    crowd = Crowd(slots, 5)
    await settled()
    assert crowd.inside == [0, 1]

    crowd.leave[1].set()
    await settled()
    assert crowd.inside == [0, 1, 2]

    slots.allow(4)
    await settled()
    assert crowd.inside == [0, 1, 2, 3, 4]
    for event in crowd.leave:
        event.set()
    await asyncio.gather(*crowd.tasks)
    assert slots.busy == 0


async def test_fewer_means_that_nobody_is_let_in_until_enough_have_left() -> None:
    slots = Slots(3)
    crowd = Crowd(slots, 4)
    await settled()
    slots.allow(1)
    for number in (0, 1):
        crowd.leave[number].set()
        await settled()
        assert crowd.inside == [0, 1, 2]

    crowd.leave[2].set()
    await settled()
    assert crowd.inside == [0, 1, 2, 3]
    crowd.leave[3].set()
    await asyncio.gather(*crowd.tasks)


async def test_where_there_are_none_nobody_waits() -> None:
    slots = Slots(1)
    crowd = Crowd(slots, 2)
    await settled()

    slots.allow(0)
    with pytest.raises(NoSlot):
        await crowd.tasks[1]
    with pytest.raises(NoSlot):
        await slots.__aenter__()
    crowd.leave[0].set()
    await crowd.tasks[0]
    assert slots.busy == 0


@pytest.mark.parametrize("has_its_turn", [False, True])
async def test_who_is_cancelled_while_waiting_takes_no_slot_with_it(has_its_turn: bool) -> None:
    slots = Slots(1)
    crowd = Crowd(slots, 3)
    await settled()
    if has_its_turn:
        slots.allow(2)  # the next one may go in, but has not run yet
    crowd.tasks[1].cancel()
    await settled()
    crowd.leave[0].set()
    await settled()

    assert crowd.inside == [0, 2]
    crowd.leave[2].set()
    await asyncio.gather(*crowd.tasks, return_exceptions=True)
    assert slots.busy == 0


def test_without_a_gateway_that_keeps_connections_those_that_send_are_in_use() -> None:
    lane = AccountLane("support", AccountLimits(connections=3))
    lane.slots.busy = 2

    assert lane.in_use(None) == 2


def test_who_waits_for_room_or_a_turn_is_full_and_not_for_longer_when_the_clock_is_set_back() -> None:
    lane, now_us, hour_us = AccountLane("desk", AccountLimits()), 10**15, 3_600_000_000
    lane.may_have(1)
    for name in ("turns_until_us", "no_room_until_us"):
        setattr(lane, name, now_us + 4_000_000)
        assert lane.is_full(now_us)
        assert not lane.is_full(now_us + 4_000_000)
        assert not lane.is_full(now_us - hour_us)
        setattr(lane, name, 0)
