"""Foreign errors of brokers: each becomes one of ours, and none says a password."""

from __future__ import annotations

import inspect
from types import ModuleType

import amqp
import pytest
import redis
from botocore import exceptions as aws
from confluent_kafka import KafkaError, KafkaException

from ticketmail.adapters.kombu import amqp as on_amqp
from ticketmail.adapters.kombu import kafka, sqs
from ticketmail.adapters.kombu import redis as on_redis
from ticketmail.adapters.kombu.errors import Table, translate
from ticketmail.app.plugins import open_broker
from ticketmail.domain.errors import (
    BlobStoreError,
    BrokerError,
    BrokerFull,
    BrokerRefused,
    BrokerUnreachable,
    BrokerUnsafe,
    SettingsError,
)
from ticketmail.domain.ports.queueing import BrokerOptions, Job

#: Faults of a programmer who calls the library, never of a broker.
OF_PROGRAMMERS = {
    "ChildDeadlockedError",
    "IncorrectPolicyType",
    "InvalidPipelineStack",
    "MissingServiceIdError",
    "UndefinedModelAttributeError",
}


def _errors(module: ModuleType) -> list[type[Exception]]:
    found = [one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, Exception)]
    return [one for one in found if not issubclass(one, Warning) and one.__name__ not in OF_PROGRAMMERS]


@pytest.mark.parametrize(
    ("table", "foreign"),
    [(on_amqp.TABLE, one) for one in _errors(amqp.exceptions)]
    + [(on_redis.TABLE, one) for one in _errors(redis.exceptions)]
    + [(sqs.TABLE, one) for one in _errors(aws)],
)
def test_every_error_of_the_library_has_a_translation(table: Table, foreign: type[Exception]) -> None:
    assert any(issubclass(foreign, known) for known, _ in table), foreign


@pytest.mark.parametrize("table", [on_amqp.TABLE, on_redis.TABLE, sqs.TABLE, kafka.TABLE])
def test_a_more_special_class_stands_before_its_parents(table: Table) -> None:
    classes = [known for known, _ in table]
    for place, known in enumerate(classes):
        assert not any(issubclass(later, known) and later is not known for later in classes[place + 1 :]), known


@pytest.mark.parametrize(
    ("url", "extra", "says"),
    [
        ("sqs://", ("regoin", "eu-central-1"), "Did you mean 'region'?"),
        ("sqs://", ("is_secure", "flase"), "neither true nor false"),
        ("sqs://", ("polling", "1"), "Known: region, is_secure."),
        ("amqp://127.0.0.1//", ("region", "eu"), "Known: ca_file."),
        ("rediss://127.0.0.1/", ("cafile", "/x"), "Did you mean 'ca_file'?"),
        ("amqps://127.0.0.1//", ("ca_file", "/no/such.pem"), "no file /no/such.pem"),
        ("rediss://127.0.0.1/", ("ca_file", "/no/such.pem"), "no file /no/such.pem"),
        ("memory://", ("region", "eu"), "Known: none, with this broker."),
    ],
)
def test_an_option_that_the_broker_does_not_know_is_told_before_anything_is_opened(
    url: str, extra: tuple[str, str], says: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        open_broker(url, BrokerOptions(extra=(extra,)))
    assert raised.value.name == f"broker.options.{extra[0]}"
    assert says in str(raised.value) + str(raised.value.remedy)


def test_an_option_that_librdkafka_does_not_know_is_refused_by_its_name() -> None:
    broker = open_broker("confluentkafka://127.0.0.1:1", BrokerOptions(extra=(("ssl.ca.locatoin", "/x"),)))
    with pytest.raises(BrokerRefused, match=r"ssl\.ca\.locatoin"):
        broker.publish("submit", [Job("1", b"{}")])


def test_kafka_that_is_not_there_is_told_with_the_reason_and_leaves_nothing_in_doubt() -> None:
    broker = open_broker("confluentkafka://127.0.0.1:1", BrokerOptions(connect_timeout_s=1.0))
    with pytest.raises(BrokerUnreachable, match="Connection refused") as raised:
        broker.publish("submit", [Job("1", b"{}")])
    assert not raised.value.in_doubt


def test_a_redis_database_that_is_no_number_is_told_before_anything_is_opened() -> None:
    with pytest.raises(SettingsError, match="'abc' is no number"):
        open_broker("redis://127.0.0.1/abc", BrokerOptions())


def test_kafka_tells_a_refusal_from_an_outage() -> None:
    refused = translate(kafka.TABLE, KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))
    away = translate(kafka.TABLE, KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)))

    assert isinstance(refused, BrokerRefused)
    assert isinstance(away, BrokerUnreachable)


def test_what_no_broker_raises_is_not_translated() -> None:
    assert translate(on_amqp.TABLE, ValueError("ours")) is None


def test_a_wrong_login_is_told_without_the_password() -> None:
    from ticketmail.adapters.kombu import create
    from ticketmail.domain.ports.queueing import BrokerOptions, Job

    broker = create("amqp://guest:canary-7f@127.0.0.1:1//", BrokerOptions(connect_timeout_s=1.0))
    with pytest.raises(BrokerError) as caught:
        broker.publish("jobs", [Job("a", b"{}")])
    assert "canary" not in f"{caught.value}{caught.value.__cause__}"


def test_every_error_of_a_road_names_the_next_step() -> None:
    for one in [BrokerError, *BrokerError.__subclasses__(), *BlobStoreError.__subclasses__()]:
        assert one("It is so.").remedy or one is BrokerUnsafe, one
    assert str(BrokerFull("It is full.", remedy="Wait.")) == "It is full. Wait."
