"""Hosts on real brokers: threads, forks, batches; what was confirmed is there, nothing is mixed up."""

from __future__ import annotations

import os
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from app.roads.taking import orders
from ticketmail import Message, Submission, TicketMail
from ticketmail.app.wiring.brokering import broker_of
from ticketmail.domain.ports.queueing import Broker

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
SERVERS = {"rabbitmq": "TICKETMAIL_TEST_RABBITMQ", "redis": "TICKETMAIL_TEST_REDIS"}


def road(url: str, **more: Any) -> dict[str, Any]:
    return {"broker": {"url": url, "prefix": f"t{uuid.uuid4().hex[:12]}", **more}}


@pytest.fixture(params=[*sorted(SERVERS), "sqs", "kafka"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "sqs":
        options = {"is_secure": "false", "region": "eu-central-1"}
        return road(request.getfixturevalue("sqs"), options=options)
    if request.param == "kafka":
        return road(request.getfixturevalue("kafka"), lease=6)
    url = os.environ.get(SERVERS[request.param])
    if not url:
        pytest.skip(f"no such server: `scripts/services start`, or set {SERVERS[request.param]}")
    return road(url)


@pytest.fixture
def mail(settings: dict[str, Any]) -> Iterator[TicketMail]:
    with TicketMail(settings=settings) as one:
        one.prepare()
        yield one


@pytest.fixture
def broker(mail: TicketMail) -> Iterator[Broker]:
    one = broker_of(mail.settings)
    yield one
    one.close()


def few(mail: TicketMail, many: int) -> int:
    """Fewer where the server of the test is slow: SQS and Kafka are played by others."""
    return many if mail.settings.broker.url.get_secret_value().startswith(("amqp", "redis")) else many // 5


def test_eight_threads_hand_over_side_by_side(mail: TicketMail, broker: Broker) -> None:
    each = few(mail, 25)
    ids: list[uuid.UUID] = []
    errors: list[BaseException] = []

    def submit(name: int) -> None:
        try:
            ids.extend(mail.submit(NOTE, key=f"{name}.{n}").submission_id for n in range(each))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=submit, args=[name]) for name in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert errors == []
    assert Counter(order.submission_id for order in orders(broker, 8 * each)) == Counter(ids)
    assert len(set(ids)) == 8 * each


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_children_of_a_warm_parent_hand_over_beside_it(mail: TicketMail, broker: Broker) -> None:
    each = few(mail, 50)
    mail.submit(NOTE, key="warm")
    children = [_forked(mail, name, each) for name in range(4)]
    for n in range(each):
        mail.submit(NOTE, key=f"parent.{n}")

    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    expected = {"warm", *(f"{name}.{n}" for name in (*range(4), "parent") for n in range(each))}
    assert Counter(order.submission.key for order in orders(broker, 5 * each + 1)) == Counter(expected)


def _forked(mail: TicketMail, name: int, each: int) -> int:
    child = os.fork()
    if child == 0:  # it says by its exit code how it went
        code = 1
        try:
            for n in range(each):
                mail.submit(NOTE, key=f"{name}.{n}")
            code = 0
        finally:
            os._exit(code)
    return child


def test_a_batch_of_many_arrives(mail: TicketMail, broker: Broker) -> None:
    keeps_order = mail.settings.broker.url.get_secret_value().startswith(("amqp", "redis"))
    count = few(mail, 600)
    mail.submit_many([Submission(message=NOTE, key=str(n)) for n in range(count)])

    keys = [str(order.submission.key) for order in orders(broker, count)]
    assert (keys if keeps_order else sorted(keys, key=int)) == [str(n) for n in range(count)]
