"""The contract of brokers, on real servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.kombu.servers import KafkaServer, LinkedServer, url_of
from ticketmail.adapters.kombu import create
from ticketmail.adapters.kombu.broker import KombuBroker
from ticketmail.domain.errors import BrokerUnsafe
from ticketmail.domain.ports.queueing import BrokerOptions
from ticketmail.testing.broker_contract import BrokerContract, CannotPlay


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


class LossyServer:
    """A transport that nobody made safe: what the contract asks of a crash it cannot play."""

    def __init__(self, url: str, extra: tuple[tuple[str, str], ...] = ()) -> None:
        self._url, self._extra = url, extra

    def broker(self, options: BrokerOptions) -> KombuBroker:
        return create(self._url, replace(options, extra=self._extra, allow_lossy=True))

    def cut(self) -> None:
        raise CannotPlay("there is no server to be cut off from")

    def heal(self) -> None:
        """Nothing was cut."""

    def consumer(self, options: BrokerOptions) -> Sequence[str]:
        raise CannotPlay("it loses what a dead consumer held, and says so")


class TestFilesystem(BrokerContract):
    @pytest.fixture
    def server(self, tmp_path: Path) -> LossyServer:
        folders = ("data_folder_in", "data_folder_out", "control_folder")
        return LossyServer("filesystem://", tuple((name, str(tmp_path)) for name in folders))


def test_a_lossy_transport_is_refused_without_leave() -> None:
    with pytest.raises(BrokerUnsafe, match="allow_lossy"):
        create("filesystem://", BrokerOptions())


class TestKafka(BrokerContract):
    @pytest.fixture
    def server(self, kafka: str) -> KafkaServer:
        return KafkaServer(kafka)
