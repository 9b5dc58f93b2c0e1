"""Telling administrators: once per cause, again after a growing while, never through the sick account."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest

from ticketmail.adapters.alerting import LogSink, MailSink
from ticketmail.app.usecases.alert import Alerts, safe_sinks
from ticketmail.domain.address import Address
from ticketmail.domain.checking import check
from ticketmail.domain.errors import SpoolUnreachable
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.delivering import Change

T = TypeVar("T")
HOUR_S = 3600


class DictBook:
    """Documents in a dict, with a clock that tests set (seconds)."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.notes: list[tuple[str, str]] = []
        self.now_s = 1_000_000
        self.sick = False

    async def load(self, kind: str) -> Mapping[str, bytes]:
        if self.sick:
            raise SpoolUnreachable("gone")
        return dict(self.documents)

    async def change(self, kind: str, name: str, step: Callable[[bytes | None, int], tuple[Change | None, T]]) -> T:
        if self.sick:
            raise SpoolUnreachable("gone")
        change, result = step(self.documents.get(name), self.now_s * 1_000_000)
        if change is not None and change.content is None:
            self.documents.pop(name, None)
        elif change is not None and change.content is not None:
            self.documents[name] = change.content
        if change is not None and change.note:
            self.notes.append((change.scope, change.note))
        return result


class Sink:
    """Keeps alerts; ``broken`` raises instead."""

    def __init__(self, *via: str) -> None:
        self.via_accounts = via
        self.got: list[Alert] = []
        self.broken = False

    async def send(self, alert: Alert) -> None:
        if self.broken:
            raise ConnectionError("no road")
        self.got.append(alert)


@pytest.fixture
def book() -> DictBook:
    return DictBook()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def alerts(book: DictBook, sink: Sink) -> Alerts:
    return Alerts(book, [sink], log=LogSink(), site="desk")


async def login_refused(alerts: Alerts) -> bool:
    return await alerts.occurred("auth:support", level="page", title="Login refused", text="535 5.7.8", accounts=["support"])


async def test_a_cause_is_told_at_once_and_then_after_1_4_and_24_hours(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    start_s, told_after_h = book.now_s, []

    for quarter in range(4 * 60):
        book.now_s = start_s + quarter * HOUR_S // 4
        if await login_refused(alerts):
            told_after_h.append(quarter / 4)

    assert told_after_h == [0, 1, 5, 29, 53]
    assert [alert.count for alert in sink.got] == [1, 4, 16, 96, 96]
    assert {alert.since_us for alert in sink.got} == {start_s * 1_000_000}


async def test_two_workers_tell_one_cause_once(book: DictBook, sink: Sink) -> None:
    for _ in range(2):
        await login_refused(Alerts(book, [sink], log=LogSink(), site="desk"))

    assert len(sink.got) == 1


async def test_its_end_is_told_once_and_only_if_the_cause_was(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    assert not await alerts.over("auth:support")
    await login_refused(alerts)
    assert await alerts.over("auth:support")
    assert not await alerts.over("auth:support")

    assert [alert.resolved for alert in sink.got] == [False, True]


async def test_a_flapping_cause_is_not_told_at_every_turn(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    for _ in range(31):
        book.now_s += 60
        await login_refused(alerts)
        book.now_s += 60
        await alerts.over("auth:support")

    assert len(sink.got) == 2 + 2  # told and over, and once more after the cool-down of an hour


async def test_a_cause_that_rises_from_warn_to_page_is_told_at_once(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    await alerts.occurred("old-mail", level="warn", title="Mail is late")
    book.now_s += 60
    await alerts.occurred("old-mail", level="page", title="Mail is very late")

    assert [alert.level for alert in sink.got] == ["warn", "page"]


async def test_a_reminder_tells_what_went_on_since(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    await login_refused(alerts)
    await login_refused(alerts)
    assert await alerts.remind() == 0
    book.now_s += HOUR_S

    assert await alerts.remind() == 1
    assert sink.got[-1].count == 1


async def test_a_cause_that_does_not_go_on_is_not_told_again(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    await login_refused(alerts)
    book.now_s += 48 * HOUR_S

    assert await alerts.remind() == 0


async def test_a_cause_long_over_is_forgotten(alerts: Alerts, book: DictBook) -> None:
    await login_refused(alerts)
    await alerts.over("auth:support")
    book.now_s += 2 * HOUR_S
    await alerts.remind()

    assert book.documents == {}


async def test_when_nobody_was_reached_it_is_told_again_in_five_minutes(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    sink.broken = True
    assert not await login_refused(alerts)
    sink.broken = False
    book.now_s += 299
    assert await alerts.remind() == 0
    book.now_s += 1

    assert await alerts.remind() == 1
    assert len(sink.got) == 1


async def test_one_broken_sink_does_not_keep_the_others_from_telling(book: DictBook) -> None:
    broken, well = Sink(), Sink()
    broken.broken = True

    assert await login_refused(Alerts(book, [broken, well], log=LogSink(), site="desk"))
    assert len(well.got) == 1


async def test_an_alarm_never_travels_through_the_sick_account_or_its_server(book: DictBook) -> None:
    """Invariant 7."""
    servers = {"support": "smtp.example.com", "sales": "smtp.example.com", "rescue": "relay.example.org"}
    sick, same_server, other, hook = Sink("support"), Sink("sales"), Sink("rescue"), Sink()
    alerts = Alerts(book, [sick, same_server, other, hook], log=LogSink(), site="desk", server_of=lambda name: servers[name])

    await login_refused(alerts)

    assert [len(sink.got) for sink in (sick, same_server, other, hook)] == [0, 0, 1, 1]


def test_accounts_without_a_server_of_their_own_do_not_count_as_one_server() -> None:
    sink = Sink("b")

    assert safe_sinks([sink], ["a"], lambda account: "") == [sink]


async def test_where_only_a_sick_road_exists_the_log_tells_it(book: DictBook, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ticketmail.alert"):
        await login_refused(Alerts(book, [Sink("support")], log=LogSink(), site="desk"))

    assert "[desk] PAGE: Login refused" in caplog.text
    assert "only this log tells it" in caplog.text


async def test_a_sick_spool_does_not_stop_the_caller(alerts: Alerts, book: DictBook) -> None:
    book.sick = True

    assert not await login_refused(alerts)
    assert await alerts.remind() == 0


async def test_beginning_and_end_are_notes_for_the_history_with_the_accounts_scope(alerts: Alerts, book: DictBook) -> None:
    await login_refused(alerts)
    await login_refused(alerts)
    await alerts.over("auth:support")

    assert book.notes == [("account:support", "page: Login refused"), ("account:support", "over: Login refused")]


async def test_a_servers_binary_words_do_not_reach_the_database(alerts: Alerts, book: DictBook, sink: Sink) -> None:
    await alerts.occurred("x", level="warn", title="a\x00b", text="c\x00\nd")

    assert book.notes == [("alert:x", "warn: a b")]
    assert sink.got[0].text == "c \nd"


async def test_a_document_that_cannot_be_read_is_replaced(alerts: Alerts, book: DictBook) -> None:
    book.documents["auth:support"] = b'{"later": "release"}'

    assert await login_refused(alerts)


async def test_an_alert_by_mail_is_a_notice_with_a_key_and_marked_as_automatic() -> None:
    got = []
    sink = MailSink(
        got.append,
        account="rescue",
        sender=Address.model_validate("desk@example.com"),
        to=(Address.model_validate("ops@example.org"),),
    )
    alert = Alert(
        "auth:support", "page", "Login\r\nBcc: x@y.z refused", "535", "desk", at_us=2, since_us=1, accounts=("support",)
    )

    await sink.send(alert)

    (submission,) = got
    assert submission.lane == "notice"
    assert submission.key == sink.submission(alert).key != sink.submission(dataclasses.replace(alert, resolved=True)).key
    assert submission.message.subject == "[desk] PAGE: Login  Bcc: x@y.z refused"
    assert ("Auto-Submitted", "auto-generated") in submission.message.headers


async def test_an_alert_with_a_servers_binary_words_can_be_a_mail() -> None:
    sink = MailSink(
        print, account="x", sender=Address.model_validate("d@example.com"), to=(Address.model_validate("o@example.org"),)
    )
    alert = Alert("x" * 500 + "\x00", "warn", "a\udcffb\nc", "550\x00 \x1b[31m\u2028 no\nnext", "desk", at_us=2, since_us=1)

    submission = sink.submission(alert)

    assert check(submission, lanes=["notice"])
    assert "no\nnext" in (submission.message.text or "")
