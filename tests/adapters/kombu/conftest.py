"""Servers that live as long as the test session: moto's SQS, and librdkafka's mock cluster unless a real one is named."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def sqs() -> Iterator[str]:
    """moto's server: it enforces SQS's quotas and visibility."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"sqs://test:test@{host}:{port}/"
    server.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The cluster of TICKETMAIL_TEST_KAFKA (``host:port``), else librdkafka's own mock in this process."""
    named = os.environ.get("TICKETMAIL_TEST_KAFKA")
    if named:
        yield f"confluentkafka://{named}/"
        return
    confluent_kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed")
    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    yield f"confluentkafka://{broker.host}:{broker.port}/"
    del cluster
