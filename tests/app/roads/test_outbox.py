"""Hosts with an outbox or a bridge: where their mail is safe, and how it comes to the broker."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from injector import InstanceProvider

from app.roads.taking import orders, taken
from app.roads.test_handover import NOTE, Failing
from ticketmail import BrokerUnreachable, SettingsError, Submission, TicketMail
from ticketmail.app.relaying import run_relay
from ticketmail.app.wiring.brokering import broker_of, outbox_of
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.job import Parcel, encode, spooled_payload
from ticketmail.domain.ports.queueing import SPOOLED, SUBMIT, Broker, Job
from ticketmail.domain.ports.relaying import Backlog
from ticketmail.testing.spool_contract.kit import ContractClock

PATIENCE_S = 30.0


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"broker": f"memory://{uuid.uuid4()}", "outbox": f"sqlite:///{tmp_path}/desk.db"}


@pytest.fixture
def mail(settings: dict[str, Any]) -> Iterator[TicketMail]:
    with TicketMail(settings=settings) as one:
        one.prepare()
        yield one


def backlog(mail: TicketMail) -> Backlog:
    """What waits in its outbox."""
    found = outbox_of(mail.settings)
    assert found is not None
    with closing(found):
        return found.backlog()


def is_empty(mail: TicketMail) -> bool:
    found = backlog(mail)
    return not found.waiting and not found.awaited


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


class Running:
    """`ticketmail relay` in a thread."""

    def __init__(self, mail: TicketMail) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=run_relay, args=[mail, self._stop])

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


# --- the outbox -------------------------------------------------------------------------------------------------------------


def test_a_mail_waits_in_the_outbox_until_the_relay_brings_it(mail: TicketMail) -> None:
    receipt = mail.submit(NOTE, key="k")
    assert receipt.durable == "outbox"
    assert broker_of(mail.settings).depth(SUBMIT) == 0

    with Running(mail):
        (order,) = orders(broker_of(mail.settings), 1)
        assert eventually(lambda: is_empty(mail))
    assert order.submission_id == receipt.submission_id


def test_it_commits_with_the_hosts_data_and_a_rollback_is_no_mail(mail: TicketMail, tmp_path: Path) -> None:
    host = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
    host.execute("BEGIN IMMEDIATE")
    receipt = mail.submit(NOTE, key="kept", connection=host)
    mail.cancel("ticket:4711", reason="closed", connection=host)
    host.execute("COMMIT")
    host.execute("BEGIN IMMEDIATE")
    mail.submit_many([Submission(message=NOTE, key="undone")], connection=host)
    host.execute("ROLLBACK")
    host.close()

    assert (receipt.durable, receipt.eta_us) == ("transaction", None)
    assert "commit" in receipt.eta_unknown
    with Running(mail):
        parcels = taken(broker_of(mail.settings), 2)
    assert [parcel.kind for parcel in parcels] == ["submit", "cancel"]


def test_two_relays_bring_each_mail_at_least_once_and_leave_nothing(mail: TicketMail) -> None:
    mail.submit_many([Submission(message=NOTE, key=str(n)) for n in range(600)])

    with Running(mail), Running(mail):
        found = {order.submission.key for order in orders(broker_of(mail.settings), 600)}
        assert eventually(lambda: is_empty(mail))
    assert found == {str(n) for n in range(600)}


def test_a_job_leaves_the_outbox_with_the_services_word(settings: dict[str, Any]) -> None:
    settings["outbox"] = {"url": settings["outbox"], "confirm": "spooled"}
    with TicketMail(settings=settings) as mail:
        receipt = mail.submit(NOTE)
        with Running(mail):
            (order,) = orders(broker_of(mail.settings), 1)
            assert order.confirm
            assert eventually(lambda: backlog(mail).awaited == 1)
            word = Parcel("spooled", uuid.uuid4(), 1, spooled_payload([receipt.submission_id]))
            broker_of(mail.settings).publish(SPOOLED, [Job("nonsense", b"{"), Job("word", encode(word))])
            assert eventually(lambda: is_empty(mail))


def test_a_job_that_no_service_tells_of_does_not_wait_for_its_word(settings: dict[str, Any]) -> None:
    with TicketMail(settings=settings) as mail:
        mail.submit(NOTE)
        with Running(mail):
            (order,) = orders(broker_of(mail.settings), 1)
    assert not order.confirm


def test_a_host_without_an_outbox_has_nothing_to_relay() -> None:
    for given in ({"broker": "memory://"}, {"spool": "memory://"}):
        with TicketMail(settings=given) as mail, pytest.raises(SettingsError, match="nothing to relay"):
            run_relay(mail, threading.Event())


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"outbox": "sqlite:///x.db"}, "outbox"),
        ({"outbox": "sqlite:///x.db", "broker": "memory://", "spool": "memory://"}, "outbox"),
        ({"bridge": "sqlite:///x.db"}, "bridge"),
        ({"bridge": "sqlite:///x.db", "outbox": "sqlite:///y.db", "broker": "memory://"}, "bridge"),
        ({"bridge": "nonsense", "broker": "memory://"}, "bridge"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any], setting: str) -> None:
    with pytest.raises(SettingsError) as caught:
        TicketMail(settings=given)
    assert caught.value.name == setting


def test_a_host_whose_outbox_nobody_relays_says_so(settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    clock = ContractClock()
    settings["outbox"] = {"url": settings["outbox"], "alarm_after": "0s"}
    timing = [lambda binder: binder.bind(Timing, to=InstanceProvider(Timing(clock=clock)))]
    with TicketMail(settings=settings, overrides=timing) as mail:  # type: ignore[arg-type]
        mail.submit(NOTE)
        assert caplog.records == []
        clock.go(61_000_000)
        mail.submit(NOTE)
        assert eventually(lambda: "`ticketmail relay`" in "".join(str(record.__dict__) for record in caplog.records))


# --- the bridge -------------------------------------------------------------------------------------------------------------


class Switched(Failing):
    """A broker that is away until it is switched on."""

    def __init__(self) -> None:
        super().__init__()
        self.on = False

    def publish(self, queue: str, jobs: Any) -> None:
        if not self.on:
            raise BrokerUnreachable("away")
        super().publish(queue, jobs)

    def ensure(self, queues: Any) -> list[str]:
        self.publish(SUBMIT, [])
        return []


@pytest.fixture
def away() -> Switched:
    return Switched()


def bridged(away: Switched, tmp_path: Path) -> TicketMail:
    return TicketMail(
        broker="memory://",
        bridge=f"sqlite:///{tmp_path}/bridge.db",
        overrides=[lambda binder: binder.bind(Broker, to=InstanceProvider(away))],  # type: ignore[list-item]
    )


def test_while_the_broker_is_there_nothing_is_kept(away: Switched, tmp_path: Path) -> None:
    away.on = True
    with bridged(away, tmp_path) as mail:
        assert mail.submit(NOTE).durable == "broker"
    assert len(away.kept) == 1


def test_an_outage_is_bridged_and_drained_in_order_with_what_came_meanwhile(away: Switched, tmp_path: Path) -> None:
    with bridged(away, tmp_path) as mail:
        receipts = [mail.submit(NOTE, key=str(n)) for n in range(5)]
        away.on = True
        receipts += [mail.submit(NOTE, key=str(n)) for n in range(5, 10)]
        assert eventually(lambda: len(away.kept) == 10)

        assert {receipt.durable for receipt in receipts[:5]} == {"outbox"}
        assert [job.job_id for job in away.kept] == [receipt.submission_id.hex for receipt in receipts]
        assert eventually(lambda: mail.submit(NOTE).durable == "broker")


def test_a_host_starts_without_its_broker_and_drains_what_waited_from_before(away: Switched, tmp_path: Path) -> None:
    with bridged(away, tmp_path) as mail:
        mail.prepare()
        mail.submit(NOTE, key="k")
    assert away.kept == []

    away.on = True
    with bridged(away, tmp_path) as mail:
        mail.prepare()
        assert eventually(lambda: len(away.kept) == 1)


async def test_from_asyncio_a_bridge_is_no_stall(away: Switched, tmp_path: Path) -> None:
    with bridged(away, tmp_path) as mail:
        receipts = await asyncio.gather(*(mail.asubmit(NOTE, key=str(n)) for n in range(20)))
        away.on = True
        await asyncio.to_thread(eventually, lambda: len(away.kept) == 20)

    assert {job.job_id for job in away.kept} == {receipt.submission_id.hex for receipt in receipts}


def test_a_cancel_is_bridged_too(away: Switched, tmp_path: Path) -> None:
    with bridged(away, tmp_path) as mail:
        mail.cancel("ticket:1", reason="x")
        away.on = True
        assert eventually(lambda: len(away.kept) == 1)
