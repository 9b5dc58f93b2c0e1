"""The contract of brokers, on real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.kombu.servers import KafkaServer, LinkedServer, url_of
from ticketmail.testing.broker_contract import BrokerContract


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


class TestKafka(BrokerContract):
    @pytest.fixture
    def server(self, kafka: str) -> KafkaServer:
        return KafkaServer(kafka)
