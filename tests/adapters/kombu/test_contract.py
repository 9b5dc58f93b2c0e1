"""The contract of brokers, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kombu.servers import KafkaServer, LinkedServer, url_of
from ticketmail.adapters.kombu import create
from ticketmail.domain.errors import BrokerUnsafe
from ticketmail.domain.ports.queueing import BrokerOptions, Job
from ticketmail.testing.broker_contract import BrokerContract, job
from ticketmail.testing.broker_contract.kit import all_of


class TestRabbitMQ(BrokerContract):
    @pytest.fixture
    def server(self) -> Iterator[LinkedServer]:
        one = LinkedServer(url_of("TICKETMAIL_TEST_RABBITMQ"))
        yield one
        one.link.close()


class TestRedis(BrokerContract):
    @pytest.fixture
    def server(self) -> Iterator[LinkedServer]:
        one = LinkedServer(url_of("TICKETMAIL_TEST_REDIS"))
        yield one
        one.link.close()


class TestSqs(BrokerContract):
    @pytest.fixture
    def server(self, sqs: str) -> Iterator[LinkedServer]:
        one = LinkedServer(sqs, extra=(("is_secure", "false"), ("region", "eu-central-1")))
        yield one
        one.link.close()


async def test_any_other_transport_carries_jobs_too(tmp_path: Path) -> None:
    """The file system: what is published before anybody listens. kombu takes files that are not wholly written yet."""
    folders = tuple((name, str(tmp_path)) for name in ("data_folder_in", "data_folder_out", "control_folder"))
    broker = create("filesystem://", BrokerOptions(extra=folders, allow_lossy=True))
    jobs = [job(), Job("bytes", bytes(range(256))), Job("", b"no id")]
    broker.publish("jobs", jobs)
    assert (broker.depth("jobs"), broker.ensure(["jobs"])) == (3, ["ticketmail.jobs: 3 waiting"])

    async with broker.receive("jobs", prefetch=2) as receiver:
        held = await all_of(receiver, 2)
        assert await receiver.batch(10, 0.2) == []
        await receiver.give_back(held[:1])
        await receiver.ack(held[1:])
    async with broker.receive("jobs", prefetch=10) as receiver:
        left = await all_of(receiver, 2, ack=True)
    broker.close()

    assert sorted(one.job.body for one in [*left, held[1]]) == sorted(one.body for one in jobs)


def test_a_lossy_transport_is_refused_without_leave() -> None:
    with pytest.raises(BrokerUnsafe, match="allow_lossy"):
        create("filesystem://", BrokerOptions())


class TestKafka(BrokerContract):
    @pytest.fixture
    def server(self, kafka: str) -> KafkaServer:
        return KafkaServer(kafka)
