"""Accounts that a host changes in its own tables while a worker runs: no restart, nothing lost, no secret shown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.worker.scene import all_in, letter, until, views, working
from ticketmail import TicketMail
from ticketmail.app.usecases.report import HoldKind
from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.testing.smtpd import SmtpServer

SECRET = "c4n4ry-s3cr3t"


class Tables:
    """The host's own tables."""

    def __init__(self) -> None:
        self.accounts: dict[str, Any] = {}
        self.broken = False
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self) -> dict[str, Any]:
        self.asked += 1
        self.answers.wait()
        if self.broken:
            raise ConnectionError(f"password={SECRET}")
        return dict(self.accounts)


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def mail(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TicketMail]:
    monkeypatch.setattr("ticketmail.app.worker.EVERY_S", 0.05)
    with TicketMail(accounts=tables, settings={"spool": f"sqlite:///{tmp_path}/spool.db"}) as one:
        yield one


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with SmtpServer() as running:
        yield running


def notes(mail: TicketMail, name: str) -> list[str]:
    return [row.reason for row in mail.reading.log(since_us=0) if row.scope == f"account:{name}"]


async def test_nothing_is_asked_before_the_first_use(tables: Tables, mail: TicketMail) -> None:
    assert tables.asked == 0
    repr(mail)
    assert tables.asked == 0


async def test_an_account_that_comes_is_used_without_a_restart(tables: Tables, mail: TicketMail, server: SmtpServer) -> None:
    async with working(mail):
        await mail.asubmit(letter())
        await asyncio.sleep(0.3)
        assert not server.taken
        tables.accounts["new"] = {"url": f"smtp://127.0.0.1:{server.port}", "password": SECRET}
        await until(all_in(mail, DeliveryState.SENT))


async def test_a_changed_account_sends_by_its_new_server_and_what_is_on_its_way_ends_on_the_old(
    tables: Tables, mail: TicketMail, server: SmtpServer
) -> None:
    async with SmtpServer() as slow:
        slow.delay("dot", 1.0)
        tables.accounts["a"] = f"smtp://127.0.0.1:{slow.port}"
        async with working(mail):
            await mail.asubmit(letter("first@example.net"))
            await until(lambda: any(view.state is DeliveryState.SENDING for view in views(mail)))
            tables.accounts["a"] = f"smtp://127.0.0.1:{server.port}"
            await until(lambda: any(str(server.port) in text for text in notes(mail, "a")))
            await mail.asubmit(letter("second@example.net"))
            await until(all_in(mail, DeliveryState.SENT))

        assert [one.recipients for one in slow.taken] == [("first@example.net",)]
        assert [one.recipients for one in server.taken] == [("second@example.net",)]
        assert {view.attempts for view in views(mail)} == {1}
        assert slow.connections_open == 0


async def test_a_changed_account_is_tried_at_once_whatever_its_breaker_waits_for(
    tables: Tables, mail: TicketMail, server: SmtpServer
) -> None:
    tables.accounts["a"] = "smtp://127.0.0.1:1"  # nobody listens there
    async with working(mail):
        await mail.asubmit(letter())
        await until(lambda: AccountState.from_json(mail.reading.documents("account").get("a")).breaker.phase == "open")
        tables.accounts["a"] = f"smtp://127.0.0.1:{server.port}"
        await until(all_in(mail, DeliveryState.SENT), 10)  # it would have waited for half a minute


async def test_tables_that_do_not_answer_hold_up_neither_mail_nor_the_workers_end(
    tables: Tables, mail: TicketMail, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketmail.app.refreshing.PATIENCE_S", 0.05)
    tables.accounts["a"] = f"smtp://127.0.0.1:{server.port}"
    before = set(threading.enumerate())
    async with working(mail):
        await until(lambda: "a" in mail.settings.accounts)
        tables.answers.clear()
        await until(lambda: any("Accounts of the host cannot be used" in row.reason for row in mail.reading.log(since_us=0)))
        asked = tables.asked
        monkeypatch.setattr("ticketmail.app.settings_live.FRESH_S", 0.0)  # whoever looks at settings would ask
        await mail.asubmit(letter())
        await until(all_in(mail, DeliveryState.SENT))
    hanging = [one for one in set(threading.enumerate()) - before if one.name == "ticketmail-host"]
    assert tables.asked == asked
    assert [one.daemon for one in hanging] == [True], "one thread, and the process does not wait for it"
    tables.answers.set()


def test_a_child_of_a_process_that_was_asking_asks_for_itself(
    tables: Tables, mail: TicketMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketmail.app.settings_live.FRESH_S", 0.0)
    mail.refresh_accounts()
    tables.answers.clear()
    asking = threading.Thread(target=mail.refresh_accounts)
    asked = tables.asked
    asking.start()
    while tables.asked == asked:
        pass
    child = os.fork()
    if child == 0:
        tables.accounts["new"], tables.answers = "null://", threading.Event()
        tables.answers.set()
        with contextlib.suppress(BaseException):
            mail.submit(letter())
        os._exit(0 if "new" in mail.settings.accounts else 1)
    tables.answers.set()
    asking.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_a_removed_accounts_mail_waits_and_says_whom_it_waits_for(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: SmtpServer
) -> None:
    monkeypatch.setattr("ticketmail.app.worker.EVERY_S", 0.05)
    tables.accounts["a"] = f"smtp://127.0.0.1:{server.port}"
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "routes": {"*": ["a"]}}
    with TicketMail(accounts=tables, settings=settings) as mail:
        async with working(mail):
            await mail.asubmit(letter())
            await until(all_in(mail, DeliveryState.SENT))
            del tables.accounts["a"]
            await asyncio.sleep(0.3)
            receipt = await mail.asubmit(letter("later@example.net"))
            await asyncio.sleep(0.3)
            (answer,) = await asyncio.to_thread(mail.why, receipt.submission_id)
            assert [hold.kind for hold in answer.holds] == [HoldKind.NO_ROUTE]
            assert "it names a" in answer.holds[0].text
            tables.accounts["a"] = f"smtp://127.0.0.1:{server.port}"
            await until(all_in(mail, DeliveryState.SENT))


async def test_a_callable_that_raises_keeps_the_last_good_list_and_is_told(
    tables: Tables, mail: TicketMail, server: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    tables.accounts["a"] = f"smtp://127.0.0.1:{server.port}"
    async with working(mail):
        await until(lambda: "a" in mail.settings.accounts)
        tables.broken = True
        with caplog.at_level(logging.INFO):
            await until(lambda: "accounts-of-the-host" in mail.reading.documents("alert"))
        await mail.asubmit(letter())
        await until(all_in(mail, DeliveryState.SENT))
        tables.broken = False
        await until(lambda: b"over_us" in mail.reading.documents("alert")["accounts-of-the-host"])

    assert "ConnectionError" in caplog.text
    assert SECRET not in caplog.text


async def test_one_account_that_is_wrong_harms_no_other(tables: Tables, mail: TicketMail, server: SmtpServer) -> None:
    tables.accounts.update({"bad": {"url": "smtp://x", "conections": 3}, "good": f"smtp://127.0.0.1:{server.port}"})

    trouble = mail.refresh_accounts()

    assert sorted(mail.settings.accounts) == ["good"]
    assert "Did you mean 'connections'?" in trouble["bad"]
    tables.accounts["good"] = {"url": "nonsense"}
    assert "good" in mail.refresh_accounts()
    assert str(server.port) in mail.settings.accounts["good"].url.get_secret_value()


async def test_what_changed_is_in_the_history_without_secrets(tables: Tables, mail: TicketMail) -> None:
    tables.accounts["a"] = {"url": f"smtp://u:{SECRET}@mail.example:587", "limits": ["30/min"]}
    async with working(mail):
        await until(lambda: "a" in mail.reading.documents("settings"))
        tables.accounts["a"] = {"url": f"smtp://u:{SECRET}@mail.example:587", "limits": ["20/min"]}
        await until(lambda: any("limits 30/min, now 20/min" in text for text in notes(mail, "a")))
        tables.accounts["a"] = {"url": "smtp://u:another@mail.example:587", "limits": ["20/min"]}
        await until(lambda: any("the login in url changed" in text for text in notes(mail, "a")))
        tables.accounts["b"] = "null://"
        await until(lambda: any("added" in text for text in notes(mail, "b")))
        del tables.accounts["a"]
        await until(lambda: any("removed" in text for text in notes(mail, "a")))

    assert SECRET not in " ".join(notes(mail, "a"))
    assert SECRET.encode() not in b"".join(mail.reading.documents("settings").values())


async def test_within_a_hosts_own_transaction_its_tables_are_not_asked(tables: Tables, tmp_path: Path) -> None:
    with TicketMail(accounts=tables, settings={"spool": f"sqlite:///{tmp_path}/spool.db"}) as mail:
        mail.prepare()
        asked = tables.asked
        mail._live._asked_s = -1e9
        connection = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        mail.submit(letter(), connection=connection)
        connection.execute("COMMIT")
        connection.close()

        assert tables.asked == asked


def test_a_new_accounts_senders_lead_to_it_in_the_submitting_process_too(tables: Tables, mail: TicketMail) -> None:
    mail.submit(letter())
    tables.accounts["a"] = {"url": "null://", "senders": ["help@example.com"]}
    mail.refresh_accounts()
    mail.submit(letter("later@example.net"))

    assert {view.recipient: view.route for view in views(mail)}["later@example.net"] == "help@example.com"
