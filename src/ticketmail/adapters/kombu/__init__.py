"""Brokers over kombu: RabbitMQ, Redis, Amazon SQS, Apache Kafka, and with ``allow_lossy`` whatever else kombu knows."""

from __future__ import annotations

from ticketmail.adapters.kombu.broker import KombuBroker
from ticketmail.adapters.kombu.parts import Technology
from ticketmail.domain.ports.queueing import BrokerOptions


def create(url: str, options: BrokerOptions) -> KombuBroker:
    """The broker of ``url``: ``amqp[s]://``, ``redis[s]://``, ``sqs://``, ``confluentkafka://``, and with ``allow_lossy`` any
    other that kombu knows (``filesystem://``, ``mongodb://...``). Opens nothing.

    Raises ImportError naming the package that is missing, BrokerUnsafe.
    """
    return KombuBroker(_technology(url, options), options)


def _technology(url: str, options: BrokerOptions) -> Technology:
    scheme = url.partition(":")[0].lower()
    if scheme in ("amqp", "amqps"):
        from ticketmail.adapters.kombu.amqp import Amqp

        return Amqp(url, options)
    if scheme in ("redis", "rediss"):
        from ticketmail.adapters.kombu.redis import Redis

        return Redis(url, options)
    if scheme == "sqs":
        from ticketmail.adapters.kombu.sqs import Sqs

        return Sqs(url, options)
    if scheme == "confluentkafka":
        from ticketmail.adapters.kombu.kafka import Kafka

        return Kafka(url, options)
    from ticketmail.adapters.kombu.other import Other

    return Other(url, options)
