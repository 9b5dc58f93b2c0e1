"""Jobs arrive as they were sent, and are bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ticketmail.domain.errors import BrokerFull, JobTooLarge
from ticketmail.domain.ports.queueing import Broker, Job
from ticketmail.testing.broker_contract.kit import (
    PATIENCE_S,
    QUEUE,
    MakeBroker,
    all_of,
    consuming,
    eventually,
    job,
)


class CarryingContract:
    """See the package."""

    async def test_what_was_published_arrives_as_it_was(self, broker: Broker) -> None:
        jobs = [job(), Job("with-utf8", "Grüße ✓".encode()), Job("bytes", bytes(range(256))), Job("", b"no id")]
        broker.publish(QUEUE, jobs)

        async with consuming(broker) as receiver:
            got = await all_of(receiver, 4)

        assert sorted((one.job.job_id, one.job.body) for one in got) == sorted((one.job_id, one.body) for one in jobs)

    async def test_many_at_once_arrive_each_once(self, broker: Broker) -> None:
        jobs = [job() for _ in range(300)]
        broker.publish(QUEUE, jobs)

        async with consuming(broker) as receiver:
            got = await all_of(receiver, 300, ack=True)
            assert await receiver.batch(10, 0.3) == []

        assert sorted(one.job.job_id for one in got) == sorted(one.job_id for one in jobs)

    def test_hosts_that_begin_together_all_hand_over_to_queues_that_are_not_there_yet(self, make: MakeBroker) -> None:
        together = Barrier(12)

        def host(broker: Broker) -> None:
            for queue in ("first", "second", "third"):
                together.wait(PATIENCE_S)
                broker.publish(queue, [job()])

        with ThreadPoolExecutor(12) as hosts:
            for done in [hosts.submit(host, make()) for _ in range(12)]:
                done.result()

    async def test_queues_are_apart(self, broker: Broker) -> None:
        broker.ensure(["other"])
        broker.publish("other", [job()])

        async with consuming(broker) as receiver:
            assert await receiver.batch(10, 0.5) == []

    async def test_a_job_as_large_as_it_takes_passes(self, broker: Broker) -> None:
        most = min(broker.capabilities.max_job_bytes or 1_000_000, 4_000_000)
        broker.publish(QUEUE, [Job("large", b"x" * most)])

        async with consuming(broker) as receiver:
            (got,) = await all_of(receiver, 1)

        assert len(got.job.body) == most

    def test_a_larger_one_is_refused_before_anything_is_published(self, broker: Broker) -> None:
        most = broker.capabilities.max_job_bytes
        if most is None:
            pytest.skip("this broker knows no limit, and says so")

        with pytest.raises(JobTooLarge, match=f"{most}"):
            broker.publish(QUEUE, [job(), Job("too-large", b"x" * (most + 1))])

        assert broker.depth(QUEUE) in (0, None)

    def test_nothing_published_is_nothing(self, broker: Broker) -> None:
        broker.publish(QUEUE, [])

    def test_depth_counts_what_waits(self, broker: Broker) -> None:
        broker.publish(QUEUE, [job() for _ in range(3)])

        assert eventually(lambda: broker.depth(QUEUE) in (3, None))

    def test_making_queues_again_changes_nothing(self, broker: Broker) -> None:
        broker.publish(QUEUE, [job()])

        assert any(QUEUE in line for line in broker.ensure([QUEUE]))
        assert eventually(lambda: broker.depth(QUEUE) in (1, None))

    def test_a_full_queue_refuses(self, make: MakeBroker) -> None:
        broker = make(max_length=5)
        if not broker.capabilities.bounded:
            pytest.skip("this broker has no full queue, and says so")
        broker.ensure([QUEUE])

        def fill() -> None:
            for _ in range(50):
                broker.publish(QUEUE, [job()])

        with pytest.raises(BrokerFull):
            fill()

    async def test_a_queue_that_was_full_takes_again_when_there_is_room(self, make: MakeBroker) -> None:
        broker = make(max_length=5)
        if not broker.capabilities.bounded:
            pytest.skip("this broker has no full queue, and says so")
        broker.ensure([QUEUE])
        sent = next(count for count in range(50) if not _takes(broker, job()))

        async with consuming(broker) as receiver:
            await all_of(receiver, sent, ack=True)
            assert eventually(lambda: _takes(broker, job("again")))
            assert [one.job.job_id for one in await all_of(receiver, 1, ack=True)] == ["again"]


def _takes(broker: Broker, one: Job) -> bool:
    try:
        broker.publish(QUEUE, [one])
    except BrokerFull:
        return False
    return True
