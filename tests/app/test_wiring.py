"""Parts put together: checked at once, nothing opened, alarms on a road of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from injector import Module, provider

from ticketmail import Alert, Message, Scope, SettingsError, Submission, TicketMail, UnknownScheme
from ticketmail.app.guarding import GuardedGateway
from ticketmail.app.settings import Settings
from ticketmail.app.settings_source import load
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.wiring import mailboxes
from ticketmail.app.wiring.alerting import blind_accounts, make_alerts, sinks_of
from ticketmail.app.wiring.build import build
from ticketmail.app.wiring.sending import account_limits, account_url, gateway_options, open_gateways, server_of
from ticketmail.domain.outbound.windows import Window
from ticketmail.domain.ports.receiving import MailboxOptions
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions


def settings(**names: Any) -> Settings:
    return load({}, code={"spool": "sqlite:///never-opened.db", **names}, environ={}).settings


def test_building_opens_nothing_and_gives_one_of_each(tmp_path: Path) -> None:
    injector = build(settings(spool=f"sqlite:///{tmp_path}/x.db"))

    assert injector.get(Submit) is injector.get(Submit)
    assert os.listdir(tmp_path) == []


def test_an_unknown_spool_is_refused_when_built() -> None:
    with pytest.raises(UnknownScheme, match=r"spool\.url"):
        build(settings(spool="mongodb://x"))


def test_an_override_that_does_not_fit_is_refused_when_built() -> None:
    class Broken(Module):
        @provider
        def spool(self, missing: Sequence[bytes]) -> SpoolAdapter:
            raise AssertionError

    with pytest.raises(SettingsError, match="override"):
        build(settings(), Broken())


def test_an_override_wins() -> None:
    class OtherSite(Module):
        @provider
        def options(self) -> SpoolOptions:
            return SpoolOptions(site="test")

    injector = build(settings(), OtherSite())

    assert injector.get(SpoolOptions).site == "test"


def test_every_account_gets_a_gateway_behind_the_guards() -> None:
    found = open_gateways(settings(mode="shadow", accounts={"a": "null://", "b": "null://"}))

    assert sorted(found) == ["a", "b"]
    assert all(isinstance(one, GuardedGateway) and not one.capabilities.network for one in found.values())


def test_accounts_that_share_a_gateway_have_their_own_logins() -> None:
    made = settings(
        gateways={"relay": {"url": "smtp://relay.example.com:587", "connections": 3}},
        accounts={
            "a": {"gateway": "relay", "user": "a@example.com", "password": "x/y"},
            "b": {"gateway": "relay", "connections": 1},
        },
    )

    assert account_url(made, "a") == "smtp://a%40example.com:x%2Fy@relay.example.com:587"
    assert account_url(made, "b") == "smtp://relay.example.com:587"
    assert (gateway_options(made, "a").connections, gateway_options(made, "b").connections) == (3, 1)
    assert server_of(made, "a") == server_of(made, "b") == "relay.example.com"


def test_oauth2_without_a_token_source_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"accounts\.a\.token.*tokens="):
        open_gateways(settings(accounts={"a": {"url": "null://", "auth": "oauth2"}}))


async def test_a_hosts_own_token_source_wins() -> None:
    async def source(force: bool) -> str:
        return "mine"

    made = settings(accounts={"a": {"url": "null://", "auth": "oauth2"}})

    assert open_gateways(made, tokens={"a": source})
    options = gateway_options(made, "a", source)
    assert options.token is not None
    assert await options.token(False) == "mine"


async def test_an_alarm_by_mail_has_a_route_of_its_own_to_the_account_named_for_it(tmp_path: Path) -> None:
    accounts = {
        "support": "smtp://help%40example.com:pw@smtp.example.com",
        "rescue": "smtp://ops%40example.org:pw@relay.example.org",
    }
    with TicketMail(
        spool=f"sqlite:///{tmp_path}/spool.db", accounts=accounts, settings={}, routes={"*": ["support"]},
        alerts={"mail_to": "oncall@example.net", "mail_account": "rescue"},
    ) as mail:  # fmt: skip
        (sink,) = sinks_of(mail.settings, mail.injector.get(Submit))
        alert = Alert("auth:support", "page", "Login refused", "535", "desk", at_us=2, since_us=1, accounts=("support",))
        await sink.send(alert)
        await sink.send(alert)

        (view,) = mail.reading.find(Scope.parse("all"))
        assert (view.route, view.lane, view.recipient) == ("alerts", "notice", "oncall@example.net")
        assert sink.via_accounts == ("rescue",)


def test_accounts_about_which_no_alarm_could_leave_are_named() -> None:
    made = settings(
        accounts={"a": "smtp://x:y@one.example.com", "b": "smtp://z:y@one.example.com", "c": "smtp://x:y@two.example.com"},
        alerts={"mail_to": "oncall@example.net", "mail_account": "b"},
    )
    submit = build(made).get(Submit)

    assert blind_accounts(made, sinks_of(made, submit)) == ("a", "b")
    assert blind_accounts(made, []) == ("a", "b", "c")


def test_an_accounts_limits_are_those_of_the_settings_with_our_share() -> None:
    made = settings(
        accounts={"a": {"url": "null://", "limits": ["10/min", "2000/day rolling recipients"], "connections": 4, "share": 0.5}}
    )

    limits = account_limits(made, "a")

    assert [str(window) for window in limits.ours] == [
        str(Window.parse("5/min")),
        str(Window.parse("1000/day rolling recipients")),
    ]
    assert (limits.slots, gateway_options(made, "a").connections) == (2, 2)


def test_a_limit_that_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"accounts\.a\.limits: "):
        settings(accounts={"a": {"url": "null://", "limits": "many/day"}})


def test_the_span_that_hands_over_is_the_parent_of_what_follows() -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    context = trace.SpanContext(int("ab" * 16, 16), int("cd" * 8, 16), is_remote=False, trace_flags=trace.TraceFlags(1))
    message = Message(sender="help@example.com", to="ann@example.net", text="Hi")
    made = settings(spool="sqlite:///never-opened.db", secret="0123456789abcdef")
    compiler = build(made).get(Compiler)

    with trace.use_span(trace.NonRecordingSpan(context)):
        inside = compiler.compile(Submission(message=message)).entries[0]
    outside = compiler.compile(Submission(message=message)).entries[0]

    assert inside.traceparent == f"00-{'ab' * 16}-{'cd' * 8}-01"
    assert outside.traceparent == ""


@pytest.mark.parametrize("spool", ["memory", "sqlite"])
async def test_an_alarm_is_a_document_a_row_in_the_history_and_a_mail_by_the_other_road(spool: str, tmp_path: Path) -> None:
    accounts = {"support": "smtp://h:pw@smtp.example.com", "rescue": "smtp://o:pw@relay.example.org"}
    alerts = {"mail_to": "oncall@example.net", "mail_account": "rescue"}
    url = "memory://" if spool == "memory" else f"sqlite:///{tmp_path}/spool.db"
    with TicketMail(spool=url, accounts=accounts, alerts=alerts, settings={}) as mail:
        side = mail.spool.worker_side()
        raised = make_alerts(mail.settings, side.book, mail.injector.get(Submit))
        for _ in range(2):
            await raised.occurred("auth:support", level="page", title="Login refused", accounts=["support"])
        await raised.over("auth:support")
        await side.aclose()

        subjects = [view.route for view in mail.reading.find(Scope.parse("all"))]
        notes = [row.reason for row in mail.reading.log(since_us=0) if row.scope == "account:support"]
        assert subjects == ["alerts", "alerts"]
        assert list(mail.reading.documents("alert")) == ["auth:support"]
        assert notes == ["page: Login refused", "over: Login refused"]


@pytest.mark.parametrize(("mode", "read_only"), [("live", False), ("shadow", True)])
def test_in_shadow_mode_mailboxes_are_left_as_they_are(mode: str, read_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[MailboxOptions] = []
    monkeypatch.setattr(mailboxes, "open_mailbox", lambda url, options, *, name: asked.append(options))

    mailboxes.make_mailbox(settings(mode=mode, mailboxes={"help": {"url": "imaps://u:p@host"}}), "help", {})

    assert [one.read_only for one in asked] == [read_only]
