"""Settings: every name checked, every source known, no secret shown."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ticketmail.app.logging import secrets_of
from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import (
    ALERT_ROUTE,
    lane_ends,
    lanes_of,
    policy_of,
    retention_of,
    route_sizes,
    routes_of,
    schedules_of,
)
from ticketmail.app.settings_source import LoadedSettings, load
from ticketmail.app.settings_values import masked, with_login
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.lanes import SHIPPED
from ticketmail.domain.ports.delivering import LaneEnd

CANARY = "c4n4ry"
SMTP = f"smtp://help%40example.com:{CANARY}@smtp.example.com:587"


def loaded(file: str = "", *, directory: Path, code: dict[str, Any] | None = None, **environ: str) -> LoadedSettings:
    path = directory / "ticketmail.toml"
    path.write_text(file, encoding="utf-8")
    return load(code=code, environ=environ, directory=directory)


def checked(**names: Any) -> Settings:
    return load({}, code=names, environ={}).settings


def refusal(**names: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        checked(**names)
    return str(caught.value)


def test_code_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = 'site = "file"\nmax_size = "1MiB"\nmessage_id_domain = "file.example"\n[worker]\ndrain = "1s"'

    found = loaded(file, directory=tmp_path, code={"site": "code"}, TICKETMAIL_SITE="env", TICKETMAIL_MAX_SIZE="2MiB").settings

    assert (found.site, found.max_size, found.message_id_domain, found.worker.drain, found.worker.beat) == (
        "code", 2 * 1024 * 1024, "file.example", 1.0, 5.0,
    )  # fmt: skip


def test_each_value_says_where_it_came_from(tmp_path: Path) -> None:
    found = loaded('[spool]\nprefix = "tm_"', directory=tmp_path, code={"site": "desk"}, TICKETMAIL_SPOOL="sqlite:///x.db")

    sources = {name: source for name, _, source in found.explain()}
    assert sources["site"] == "code"
    assert sources["spool.url"] == "environment"
    assert sources["spool.prefix"] == str(tmp_path / "ticketmail.toml")
    assert sources["spool.order_wait"] == "default"


def test_a_variable_reaches_any_depth_and_names_spelled_otherwise_in_the_file(tmp_path: Path) -> None:
    found = loaded(
        '[accounts.Front-Desk]\nurl = "smtp://x@localhost"',
        directory=tmp_path,
        TICKETMAIL_ACCOUNTS__FRONT_DESK__SHARE="0.5",
        TICKETMAIL_ACCOUNTS__SALES__URL="null://",
        TICKETMAIL_ROUTES='{"help@example.com": ["sales"]}',
    ).settings

    assert found.accounts["Front-Desk"].share == 0.5
    assert found.accounts["sales"].url.get_secret_value() == "null://"
    assert found.routes == {"help@example.com": ("sales",)}


def test_the_settings_variable_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('site = "other"')

    assert load(environ={"TICKETMAIL_SETTINGS": str(path)}, directory=tmp_path).settings.site == "other"


def test_with_a_mapping_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "ticketmail.toml").write_text("nonsense")

    found = load({"site": "mine"}, environ={"TICKETMAIL_SITE": "env", "TICKETMAIL_MODE": "shadow"}, directory=tmp_path).settings

    assert (found.site, found.mode) == ("mine", "shadow")


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    found = load(environ={}, directory=tmp_path)

    assert (found.settings.spool.url.get_secret_value(), found.path) == ("sqlite:///ticketmail.db", None)


@pytest.mark.parametrize(
    ("names", "name", "hint"),
    [
        ({"sitee": "x"}, "sitee", "Did you mean 'site'?"),
        ({"spool": {"url": "memory://", "order_wayt": 1}}, "spool.order_wayt", "Did you mean 'order_wait'?"),
        (
            {"accounts": {"support": {"url": "null://", "conections": 3}}},
            "accounts.support.conections",
            "Did you mean 'connections'?",
        ),
        (
            {"accounts": {"a": {"url": "x://", "auth": "oauth2", "token": {"urll": "x"}}}},
            "accounts.a.token.urll",
            "Did you mean 'url'?",
        ),
        ({"lanes": {"reply": {"zzz": 1}}}, "lanes.reply.zzz", "Known here: deadline"),
        ({"accounts": {"support": "null://"}, "routes": {"*": ["suport"]}}, "routes.*", "Did you mean 'support'?"),
        (
            {"accounts": {"a": {"gateway": "relai"}}, "gateways": {"relay": "smtp://h"}},
            "accounts.a.gateway",
            "Did you mean 'relay'?",
        ),
        ({"alerts": {"mail_to": "ops@example.org"}}, "alerts.mail_account", "Name one"),
        ({"alerts": {"mail_account": "x"}}, "alerts.mail_account", "Known: none."),
        ({"lanes": {"reply": {"unknown": "maybe"}}}, "lanes.reply.unknown", "resend"),
        ({"accounts": {"a": {"url": "x://", "gateway": "y"}}}, "accounts.a", "exactly one of url and gateway"),
        ({"accounts": {"a": {}}}, "accounts.a", "exactly one of url and gateway"),
        ({"accounts": {"a": "no url"}}, "accounts.a.url", "smtp://"),
        ({"accounts": {"a b": "null://"}}, "accounts.a b", "without blanks"),
        ({"accounts": {"a": {"url": "null://", "share": 1.5}}}, "accounts.a.share", "less than or equal to 1"),
        ({"routes": {"*": []}}, "routes.*", "at least one account"),
        ({"routes": {"alerts": ["x"]}}, "routes.alerts", "alerts.mail_account"),
        ({"secret": "short"}, "secret", "at least 16 bytes"),
        ({"redirect_to": "dev@example.org", "only_to": ["example.com"]}, "redirect_to", "only_to"),
        ({"worker": {"drain": "5 parsecs"}}, "worker.drain", ""),
        ({"max_size": "many"}, "max_size", ""),
        ({"mode": "lively"}, "mode", "shadow"),
    ],
)
def test_what_is_wrong_is_refused_by_its_dotted_name_with_a_hint(names: dict[str, Any], name: str, hint: str) -> None:
    text = refusal(**names)

    assert text.startswith(f"{name}: ")
    assert hint in text


def test_several_faults_are_named_at_once() -> None:
    text = refusal(mode="x", worker={"beat": "60s"})

    assert "mode" in text
    assert "worker.beat" in text


def test_a_misspelled_variable_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"TICKETMAIL_SPOL.*Did you mean 'spool'"):
        loaded(directory=tmp_path, TICKETMAIL_SPOL="x")


def test_broken_toml_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not TOML"):
        loaded("x = ", directory=tmp_path)
    with pytest.raises(SettingsError, match=r"Cannot read .*nowhere\.toml"):
        load(tmp_path / "nowhere.toml", environ={})


@pytest.mark.parametrize("value", ["90s", "1m30s", 90, 90.0, timedelta(seconds=90)])
def test_durations_are_seconds_however_written(value: Any) -> None:
    assert checked(spool={"url": "memory://", "order_wait": value}).spool.order_wait == 90.0


@pytest.mark.parametrize("value", ["14d", 14, timedelta(days=14)])
def test_retention_is_days_however_written(value: Any) -> None:
    assert checked(retention={"history": value}).retention.history == 14.0


def test_secrets_come_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{CANARY}\n")
    spool = 'spool = "postgresql://desk:${DB_PASSWORD}@db/desk"'
    file = f'{spool}\n[accounts.a]\nurl = "smtp://me@host"\npassword = "file:{tmp_path}/password"'

    found = loaded(file, directory=tmp_path, DB_PASSWORD="pw").settings

    assert found.spool.url.get_secret_value() == "postgresql://desk:pw@db/desk"
    assert found.accounts["a"].password.get_secret_value() == CANARY


def test_a_variable_or_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"spool: \$\{NOT_THERE\} is not set"):
        loaded('spool = "postgresql://x:${NOT_THERE}@db"', directory=tmp_path)
    with pytest.raises(SettingsError, match=r"accounts\.a\.password: Cannot read"):
        loaded('[accounts.a]\nurl = "null://"\npassword = "file:/nowhere/at/all"', directory=tmp_path)


def full_of_secrets() -> dict[str, Any]:
    token = {"url": "https://login/x", "client_id": "desk", "client_secret": CANARY * 2, "refresh_token": CANARY * 3}
    return {
        "spool": {"url": f"postgresql://desk:{CANARY}@db/desk?sslpassword={CANARY}", "listen_url": f"postgresql://x:{CANARY}@db"},
        "secret": [CANARY * 4],
        "accounts": {
            "a": {"url": SMTP, "auth": "oauth2", "token": token},
            "b": {"gateway": "g", "user": "u", "password": CANARY},
        },
        "gateways": {"g": f"smtp://u:{CANARY}@h"},
        "alerts": {"webhook": f"https://chat/{CANARY}", "webhook_secret": CANARY},
    }


def test_no_secret_is_in_repr_dump_or_explanation() -> None:
    found = load(full_of_secrets(), environ={})

    shown = json.dumps(found.explain())
    assert CANARY not in repr(found) + str(found.settings) + found.settings.model_dump_json() + shown
    assert "smtp://help%40example.com:***@smtp.example.com:587" in shown


@pytest.mark.parametrize(
    "path", [["spool", "url"], ["accounts", "a", "url"], ["accounts", "b", "password"], ["secret"], ["alerts", "webhook_secret"]]
)
def test_a_refusal_never_shows_a_secret(path: list[str]) -> None:
    values = full_of_secrets()
    target = values
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = {"c4n4ry": CANARY}
    with pytest.raises(SettingsError) as caught:
        load(values, environ={})

    assert CANARY not in str(caught.value) + repr(caught.value.__cause__)


def test_every_secret_is_known_to_the_redaction_of_logs() -> None:
    found = secrets_of(load(full_of_secrets(), environ={}).settings)

    assert {CANARY, CANARY * 2, CANARY * 3, CANARY * 4, f"/{CANARY}"} <= found


@pytest.mark.parametrize("url", ["sendgrid://SG.key@api", "smtp://token:token@smtp.example.com", "acme://token@"])
def test_a_key_in_a_users_place_is_masked(url: str) -> None:
    assert "***" in masked(url)
    assert "key" not in masked(url)
    assert "token" not in masked(url)


@pytest.mark.parametrize("url", ["smtp://desk@mail:587", "imaps://desk@mail", "postgresql+psycopg://desk@db/desk", "lmtp://mail"])
def test_a_user_without_a_password_is_shown(url: str) -> None:
    assert masked(url) == url


def test_a_masked_url_keeps_what_people_need() -> None:
    assert masked("postgresql://desk:pw@db:5432/desk?sslmode=require") == "postgresql://desk:***@db:5432/desk?sslmode=***"
    assert masked("sqlite:////var/lib/desk.db") == "sqlite:////var/lib/desk.db"


def test_a_login_goes_into_a_url_that_has_none() -> None:
    assert with_login("smtp://host:25", "a@b.c", "p/w") == "smtp://a%40b.c:p%2Fw@host:25"
    assert with_login("smtp://me:own@host", "other", "pw") == "smtp://me:own@host"
    assert with_login("smtp://me@host", "", "pw") == "smtp://me:pw@host"
    assert with_login("smtp://host", "", "") == "smtp://host"
    assert with_login("sendgrid://host", "", "key") == "sendgrid://:key@host"


def test_lanes_change_the_shipped_ones_and_add_new() -> None:
    lanes = lanes_of(checked(lanes={"reply": {"deadline": "1h"}, "vip": {"weight": 50, "unknown": "hold", "ends_as": "expired"}}))

    assert (lanes["reply"].deadline_s, lanes["reply"].weight) == (3600.0, SHIPPED["reply"].weight)
    assert (lanes["vip"].weight, lanes["vip"].unknown, lanes["vip"].ends_as) == (50, "hold", "expired")


def test_without_routes_every_sender_may_use_all_accounts_in_order() -> None:
    accounts = {"a": "null://", "b": "null://", "ops": "null://"}
    routes = routes_of(checked(accounts=accounts, alerts={"mail_to": "x@example.org", "mail_account": "ops"}))

    assert routes.accounts_of(routes.route_of("ann@example.net")) == ("a", "b", "ops")
    assert routes.accounts_of(routes.route_of(ALERT_ROUTE)) == ("ops",)


def test_a_retry_schedule_is_read_by_class_or_cause() -> None:
    found = schedules_of(checked(retry={"greylist": "1m*2, 10m", "mailbox-full": ["1h", "2h"]}))

    assert {name: one.steps_s for name, one in found.items()} == {"greylist": (60, 60, 600), "mailbox-full": (3600, 7200)}


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"retry": {"greylisst": "1m"}}, "retry.greylisst: .*Did you mean 'greylist'"),
        ({"retry": {"greylist": "soon"}}, "retry.greylist: "),
        ({"lanes": {"vip": {"deadline": 0}}}, "lanes.vip: "),
    ],
)
def test_what_the_domain_refuses_is_refused_when_settings_are_read(names: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        checked(**names)


def test_a_routes_size_is_the_largest_that_any_of_its_accounts_takes() -> None:
    accounts = {"a": {"url": "null://", "max_size": 10}, "b": {"url": "null://", "max_size": 20}, "c": "null://"}

    assert route_sizes(checked(accounts=accounts, routes={"*": ["a", "b"], "x.org": ["a", "c"]})) == {"*": 20}


def test_policy_retention_and_the_ends_of_lanes_are_those_of_the_settings() -> None:
    made = checked(
        unknown={"evidence_after": ["10s", "20s"], "second": "dead"},
        retry={"greylist": "7s"},
        retention={"sent_body": "36h"},
        lanes={"reply": {"ends_as": "expired"}},
    )

    policy = policy_of(made)
    assert (policy.evidence_after_s, policy.second_unknown, policy.schedules["greylist"].steps_s) == ((10, 20), "dead", (7,))
    assert (retention_of(made).sent_body_days, retention_of(made).history_days) == (1.5, 400)
    assert LaneEnd("reply", DeliveryState.EXPIRED) in lane_ends(made)


def test_ready_settings_are_taken_and_code_beside_them_wins() -> None:
    ready = checked(site="a", accounts={"x": {"url": SMTP, "share": 0.5}})

    found = load(ready, code={"site": "b"}, environ={"TICKETMAIL_SITE": "ignored"}).settings

    assert found == ready.model_copy(update={"site": "b"})


def test_a_variable_finds_a_name_that_code_spells_otherwise() -> None:
    found = load({"accounts": {"Front-Desk": SMTP}}, environ={"TICKETMAIL_ACCOUNTS__FRONT_DESK__SHARE": "0.5"}).settings

    assert found.accounts["Front-Desk"].share == 0.5


def test_incoming_mail_is_kept_by_its_category_where_the_settings_say_so() -> None:
    settings = load({"retention": {"inbound": 60, "inbound_by": {"bounce": "30d", "bulk": 7}}}, environ={}).settings

    days = retention_of(settings).raw_days()

    assert (days["human"], days["bounce"], days["bulk"], days[""]) == (60, 30, 7, 60)
    with pytest.raises(SettingsError, match=r"retention\.inbound_by"):
        load({"retention": {"inbound_by": {"bounces": 30}}}, environ={})
