"""`ticketmail broker`, `status` and `doctor` of a host that hands over to a broker."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticketmail import Message, TicketMail
from ticketmail.app.wiring.brokering import broker_of

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
CANARY = "canary-Pa55word"


@pytest.fixture
def host(desk: Any) -> Callable[..., TicketMail]:
    """Writes settings into the desk's directory."""

    def write(text: str) -> TicketMail:
        desk.write(text.replace("BROKER", f"memory://{uuid.uuid4()}"))
        return TicketMail()

    return write


@pytest.fixture
def run(desk: Any) -> Any:
    return desk.run


def test_a_host_without_a_spool_sees_its_road(host: Any, run: Any) -> None:
    with host('broker = "BROKER"') as mail:
        mail.submit(NOTE)
    ran = run("status")

    assert ran.code == 1  # it is in memory, and says so
    assert "1 jobs wait for the mail service" in ran.out
    assert "`ticketmail status` there" in ran.out


def test_as_json(host: Any, run: Any) -> None:
    host('broker = "BROKER"')
    found = run("broker", "show", "--json").json

    assert found["queues"] == [{"name": "submit", "waiting": 0}, {"name": "events", "waiting": 0}]
    assert found["capabilities"]["between_processes"] is False


def test_queues_are_made_and_told(host: Any, run: Any) -> None:
    host('broker = "BROKER"\noutbox = {url = "sqlite:///desk.db", confirm = "spooled"}')
    ran = run("broker", "ensure")

    assert (ran.code, [line.partition(":")[0] for line in ran.out.splitlines()]) == (
        0,
        ["ticketmail.submit", "ticketmail.events", "ticketmail.spooled"],
    )


def test_a_broker_that_is_away_is_bad_and_no_password_is_told(host: Any, run: Any) -> None:
    host(f'broker = {{url = "amqp://desk:{CANARY}@127.0.0.1:1//", connect_timeout = 1}}')
    ran = run("doctor")

    assert ran.code == 2
    assert "broker: " in ran.out
    assert CANARY not in ran.out + ran.err


def test_an_outbox_that_nobody_relays_is_bad_and_says_the_next_step(host: Any, run: Any) -> None:
    with host('broker = "BROKER"\noutbox = {url = "sqlite:///desk.db", alarm_after = "0s"}') as mail:
        mail.submit(NOTE)
    ran = run("status")

    assert ran.code == 2
    assert "1 mails wait for the broker" in ran.out
    assert "ticketmail relay" in ran.out


def test_doctor_looks_at_the_shared_store_and_at_signatures(host: Any, run: Any, tmp_path: Path) -> None:
    folders = ", ".join(f'{name} = "{tmp_path}"' for name in ("data_folder_in", "data_folder_out", "control_folder"))
    broker = f'url = "filesystem://", allow_lossy = true, blobs = "file://{tmp_path}/blobs", options = {{{folders}}}'
    host(f"broker = {{{broker}}}")
    ran = run("doctor")

    assert "shared store: " in ran.out
    assert "takes content and gives it back" in ran.out
    assert "not signed" in ran.out


def test_without_a_broker_there_is_nothing_to_show(host: Any, run: Any) -> None:
    host('spool = "sqlite:///spool.db"')
    ran = run("broker", "show")

    assert (ran.code, "No broker is set" in ran.err) == (2, True)


def test_a_host_without_an_outbox_is_told_that_there_is_nothing_to_relay(host: Any, run: Any) -> None:
    host('broker = "BROKER"')
    ran = run("relay")

    assert (ran.code, "nothing to relay" in ran.err) == (2, True)


def test_questions_that_only_the_spool_can_answer_say_where_to_ask(host: Any, run: Any) -> None:
    host('broker = "BROKER"')
    ran = run("find", "all")

    assert (ran.code, "where the mail service runs" in ran.err) == (2, True)


def test_a_script_hands_over_and_cancels_by_the_broker(host: Any, run: Any) -> None:
    with host('broker = "BROKER"') as mail:
        submitted = run("submit", "--from", "help@example.com", "--to", "ann@example.net", "--text", "x", "--key", "k", "--json")
        cancelled = run("cancel", f"id:{submitted.json['submission_id']}", "--reason", "closed")
        depth = broker_of(mail.settings).depth("submit")

    assert (submitted.json["durable"], cancelled.code, depth) == ("broker", 0, 2)
    assert "by the mail service" in cancelled.out
