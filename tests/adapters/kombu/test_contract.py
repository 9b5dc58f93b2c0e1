"""The contract of brokers, on real servers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kombu.servers import KafkaServer, LinkedServer, url_of
from ticketmail.adapters.kombu import create
from ticketmail.domain.errors import BrokerRefused, BrokerUnsafe
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


FOLDERS = ("data_folder_in", "data_folder_out", "control_folder")
#: kombu 5.7 asks for a way of loading that SQLAlchemy 2.1 is going to remove; until then it works.
KOMBUS_OWN = "ignore:The ``noload`` loader strategy is deprecated"


@pytest.mark.filterwarnings(KOMBUS_OWN)
@pytest.mark.parametrize("url", ["filesystem://", "sqla+sqlite:///{}/kombu.db"])
async def test_any_other_transport_carries_jobs_too(url: str, tmp_path: Path) -> None:
    """What is published before anybody listens: of the file system kombu takes files that are not wholly written yet."""
    extra = tuple((name, str(tmp_path)) for name in FOLDERS) if url.startswith("filesystem") else ()
    broker = create(url.format(tmp_path), BrokerOptions(extra=extra, allow_lossy=True))
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


@pytest.mark.parametrize("url", ["filesystem://", "sqla+sqlite:///kombu.db"])
def test_a_lossy_transport_is_refused_without_leave(url: str) -> None:
    with pytest.raises(BrokerUnsafe, match="allow_lossy"):
        create(url, BrokerOptions())


def test_a_transport_whose_package_is_missing_says_so() -> None:
    if importlib.util.find_spec("kazoo") is not None:
        pytest.skip("kazoo is installed")
    with pytest.raises(BrokerRefused, match=r"kazoo.*Install"):
        create("zookeeper://127.0.0.1", BrokerOptions(allow_lossy=True)).publish("jobs", [job()])


class TestKafka(BrokerContract):
    @pytest.fixture
    def server(self, kafka: str) -> KafkaServer:
        return KafkaServer(kafka)
