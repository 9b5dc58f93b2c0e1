"""Brokers that do not answer: a host is told in time, keeps nothing in doubt, and with a bridge feels nothing."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.kombu.servers import LinkedServer
from app.roads.taking import orders
from app.roads.test_servers import SERVERS
from ticketmail import BrokerBlocked, BrokerError, BrokerFull, Message, Submission, SubmitInDoubt, TicketMail
from ticketmail.app.wiring.brokering import broker_of

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
CONNECT_S, CONFIRM_S, SLACK_S = 1.0, 2.0, 12.0


@pytest.fixture(params=[*sorted(SERVERS), "sqs"])
def server(request: pytest.FixtureRequest) -> Iterator[LinkedServer]:
    if request.param == "sqs":
        extra = (("is_secure", "false"), ("region", "eu-central-1"))
        one = LinkedServer(request.getfixturevalue("sqs"), extra=extra)
    elif url := os.environ.get(SERVERS[request.param]):
        one = LinkedServer(url)
    else:
        pytest.skip(f"no such server: `scripts/services start`, or set {SERVERS[request.param]}")
    yield one
    one.link.close()


def host(server: LinkedServer, **more: Any) -> TicketMail:
    road = {
        "url": server.url,
        "prefix": f"t{uuid.uuid4().hex[:12]}",
        "connect_timeout": CONNECT_S,
        "confirm_timeout": CONFIRM_S,
        "options": dict(server._extra),
        **more.pop("broker", {}),
    }
    return TicketMail(settings={"broker": road, **more})


def keys(mail: TicketMail, count: int) -> list[str | None]:
    broker = broker_of(mail.settings)
    try:
        return [order.submission.key for order in orders(broker, count)]
    finally:
        broker.close()


@pytest.mark.parametrize("trouble", ["freeze", "cut"])
def test_a_broker_that_does_not_answer_is_told_in_time_and_the_retry_is_one_mail(server: LinkedServer, trouble: str) -> None:
    with host(server) as mail:
        mail.submit(NOTE, key="before")
        getattr(server.link, trouble)()
        began_s = time.monotonic()
        try:
            with pytest.raises((SubmitInDoubt, BrokerError)) as caught:
                mail.submit(NOTE, key="in between")
        finally:
            server.link.heal()
        assert time.monotonic() - began_s < CONNECT_S + CONFIRM_S + SLACK_S

        again = caught.value.retry if isinstance(caught.value, SubmitInDoubt) else lambda: mail.submit(NOTE, key="in between")
        assert again().durable == "broker"
        assert set(keys(mail, 2)) == {"before", "in between"}


def test_with_a_bridge_an_outage_is_felt_by_nobody_and_drained_in_order(server: LinkedServer, tmp_path: Path) -> None:
    with host(server, bridge=f"sqlite:///{tmp_path}/bridge.db") as mail:
        mail.submit(NOTE, key="before")
        server.link.cut()
        receipts = [mail.submit(NOTE, key=str(number)) for number in range(20)]
        server.link.heal()
        found = keys(mail, 21)

    assert {receipt.durable for receipt in receipts} == {"outbox"}
    seen = list(dict.fromkeys(key for key in found if key != "before"))
    assert sorted(seen, key=str) == sorted((str(number) for number in range(20)), key=str)
    if server.url.startswith(("amqp", "redis")):
        assert seen == [str(number) for number in range(20)]


@pytest.mark.parametrize("server", ["rabbitmq", "redis"], indirect=True)
def test_a_link_on_which_bytes_trickle_holds_nobody_up_for_longer_than_was_set(server: LinkedServer) -> None:
    large = NOTE.model_copy(update={"text": "On its way. " * 20_000})
    with host(server) as mail:
        mail.submit(NOTE, key="before")
        server.link.slow(400_000)  # a mail is through in less than a second, all of them would take a minute
        began_s = time.monotonic()
        results = mail.submit_many([Submission(message=large, key=str(number)) for number in range(100)])
    assert time.monotonic() - began_s < CONNECT_S + CONFIRM_S + SLACK_S
    assert any(isinstance(one, SubmitInDoubt) for one in results)


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_full_queue_is_told_at_once(name: str) -> None:
    url = os.environ.get(SERVERS[name]) or pytest.skip(f"no such server: set {SERVERS[name]}")
    road = {"url": url, "prefix": f"t{uuid.uuid4().hex[:12]}", "max_length": 3}
    with TicketMail(broker=road) as mail, pytest.raises(BrokerFull):
        fill(mail)


def fill(mail: TicketMail) -> None:
    for number in range(20):
        mail.submit(NOTE, key=str(number))


def test_an_alarm_of_the_broker_is_told_as_such(alarmed: Callable[[], None]) -> None:
    url = os.environ["TICKETMAIL_TEST_RABBITMQ"]
    road = {"url": url, "prefix": f"t{uuid.uuid4().hex[:12]}", "confirm_timeout": CONFIRM_S, "connect_timeout": CONNECT_S}
    with TicketMail(broker=road) as mail:
        mail.submit(NOTE, key="before")
        alarmed()
        with pytest.raises(SubmitInDoubt, match="takes nothing now") as caught:
            mail.submit(NOTE, key="during")
    assert isinstance(caught.value.__cause__, BrokerBlocked)


def test_an_alarm_is_told_as_such_when_more_is_written_than_the_sockets_hold(alarmed: Callable[[], None]) -> None:
    url = os.environ["TICKETMAIL_TEST_RABBITMQ"]
    road = {"url": url, "prefix": f"t{uuid.uuid4().hex[:12]}", "confirm_timeout": CONFIRM_S, "connect_timeout": CONNECT_S}
    large = NOTE.model_copy(update={"text": "On its way. " * 20_000})
    with TicketMail(broker=road) as mail:
        mail.submit(NOTE, key="before")
        alarmed()
        began_s = time.monotonic()
        results = mail.submit_many([Submission(message=large, key=str(number)) for number in range(60)])
    assert time.monotonic() - began_s < CONNECT_S + CONFIRM_S + SLACK_S
    assert all(isinstance(one, SubmitInDoubt) and isinstance(one.__cause__, BrokerBlocked) for one in results)


@pytest.fixture
def alarmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Raises RabbitMQ's alarm of memory when it is called; it is over when the test is."""
    directory = os.environ.get("TICKETMAIL_TEST_RABBITMQ_DIRECTORY")
    if not directory or not os.environ.get("TICKETMAIL_TEST_RABBITMQ"):
        pytest.skip("no RabbitMQ of ours: `scripts/services start rabbitmq`")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "scripts"))
    from local_services.rabbitmq import control

    yield lambda: _raised(lambda *words: control(Path(directory), *words))
    control(Path(directory), "set_vm_memory_high_watermark", "0.4")


def _raised(control: Callable[..., str]) -> None:
    control("set_vm_memory_high_watermark", "0.000001")
    until = time.monotonic() + 30
    while "memory" not in control("eval", "rabbit_alarm:get_alarms().").lower() and time.monotonic() < until:
        time.sleep(0.2)
