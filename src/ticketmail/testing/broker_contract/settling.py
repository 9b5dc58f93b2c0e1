"""What is acknowledged is over, what is not comes again."""

from __future__ import annotations

import time

from ticketmail.domain.ports.queueing import Broker
from ticketmail.testing.broker_contract.kit import (
    PATIENCE_S,
    QUEUE,
    MakeBroker,
    all_of,
    consuming,
    job,
)


class SettlingContract:
    """See the package."""

    async def test_what_was_acknowledged_never_comes_again(self, broker: Broker, make: MakeBroker) -> None:
        broker.publish(QUEUE, [job() for _ in range(20)])
        async with consuming(broker) as receiver:
            await all_of(receiver, 20, ack=True)

        async with consuming(make()) as receiver:
            assert await receiver.batch(10, 1.0) == []

    async def test_what_was_not_comes_again_after_the_consumer_ended(self, broker: Broker) -> None:
        jobs = [job() for _ in range(10)]
        broker.publish(QUEUE, jobs)
        async with consuming(broker) as receiver:
            got = await all_of(receiver, 10)
            await receiver.ack(got[3:6])

        async with consuming(broker) as receiver:
            again = await all_of(receiver, 7)

        left = {one.job.job_id for one in got[:3]} | {one.job.job_id for one in got[6:]}
        assert {one.job.job_id for one in again} >= left

    async def test_acknowledging_in_any_order_loses_none(self, broker: Broker) -> None:
        broker.publish(QUEUE, [job() for _ in range(12)])
        async with consuming(broker) as receiver:
            got = await all_of(receiver, 12)
            for one in reversed(got[1:]):
                await receiver.ack([one])

        async with consuming(broker) as receiver:
            again = {one.job.job_id for one in await all_of(receiver, 1)}

        assert got[0].job.job_id in again

    async def test_what_was_given_back_comes_again(self, broker: Broker) -> None:
        broker.publish(QUEUE, [job("a")])
        async with consuming(broker) as receiver:
            (first,) = await all_of(receiver, 1)
            await receiver.give_back([first])
            (again,) = await all_of(receiver, 1)

        assert again.job.job_id == first.job.job_id

    async def test_a_consumer_holds_no_more_than_its_prefetch(self, broker: Broker) -> None:
        broker.publish(QUEUE, [job() for _ in range(30)])

        async with broker.receive(QUEUE, prefetch=10) as receiver:
            held = await all_of(receiver, 10)
            assert await receiver.batch(10, 0.7) == []
            await receiver.ack(held)
            assert len(await all_of(receiver, 10)) == 10

    async def test_two_consumers_share(self, broker: Broker, make: MakeBroker) -> None:
        jobs = [job() for _ in range(40)]
        async with consuming(broker) as one, consuming(make()) as other:
            broker.publish(QUEUE, jobs)
            seen: list[str] = []
            until = time.monotonic() + PATIENCE_S
            while len(set(seen)) < 40 and time.monotonic() < until:
                for receiver in (one, other):
                    got = await receiver.batch(5, 0.1)
                    await receiver.ack(got)
                    seen += [item.job.job_id for item in got]

        assert set(seen) == {item.job_id for item in jobs}
