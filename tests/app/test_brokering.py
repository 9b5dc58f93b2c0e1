"""``[broker]`` becomes a broker; what does not fit is told with its next step."""

from __future__ import annotations

import pytest

from ticketmail.app.settings_source import load, parse
from ticketmail.app.wiring.brokering import broker_of, broker_options, job_secrets
from ticketmail.domain.errors import BrokerUnsafe, MissingExtra, SettingsError, UnknownScheme

CANARY = "canary-91c2-canary"


def test_a_url_alone_is_enough() -> None:
    settings = parse({"broker": {"url": "memory://desk"}})

    assert broker_of(settings).capabilities.between_processes is False


def test_a_text_is_the_url() -> None:
    settings = load({"broker": "memory://desk"}, environ={}).settings

    assert settings.broker.url.get_secret_value() == "memory://desk"


def test_every_setting_reaches_the_adapter() -> None:
    table = {
        "url": "memory://",
        "prefix": "desk-prod",
        "lease": "2m",
        "connect_timeout": 1,
        "confirm_timeout": "3s",
        "max_length": 500,
        "allow_lossy": True,
        "options": {"region": "eu-central-1"},
    }
    options = broker_options(parse({"broker": table}))

    assert (options.prefix, options.lease_s, options.connect_timeout_s, options.confirm_timeout_s) == ("desk-prod", 120, 1, 3)
    assert (options.max_length, options.allow_lossy, options.extra) == (500, True, (("region", "eu-central-1"),))


@pytest.mark.parametrize(
    ("given", "by_broker"),
    [
        ({}, False),
        ({"broker": "amqp://localhost//"}, True),
        ({"broker": "amqp://localhost//", "spool": "sqlite:///x.db"}, False),
        ({"broker": {"prefix": "desk"}}, False),
    ],
)
def test_a_host_with_a_broker_and_no_spool_hands_over_to_the_broker(given: dict[str, object], by_broker: bool) -> None:
    assert load(given, environ={}).settings.by_broker is by_broker


@pytest.mark.parametrize(("scheme", "near"), [("rabbitmq", "amqp"), ("kafka", "confluentkafka"), ("rediss3", "rediss")])
def test_an_unknown_scheme_is_told_with_the_nearest(scheme: str, near: str) -> None:
    with pytest.raises(UnknownScheme, match=f"Did you mean {near}://"):
        broker_of(parse({"broker": {"url": f"{scheme}://host"}}))


@pytest.mark.parametrize("url", ["filesystem://", "sqla+sqlite:///x.db", "sentinel://localhost:26379", "mongodb://localhost"])
def test_any_other_broker_that_kombu_knows_needs_leave_to_lose(url: str) -> None:
    with pytest.raises(BrokerUnsafe, match="allow_lossy"):
        broker_of(parse({"broker": {"url": url}}))

    assert not broker_of(parse({"broker": {"url": url, "allow_lossy": True}})).capabilities.at_least_once


def test_a_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(url: str, options: object) -> object:
        raise ModuleNotFoundError("No module named 'confluent_kafka'", name="confluent_kafka")

    monkeypatch.setattr("ticketmail.adapters.kombu.create", create)
    with pytest.raises(MissingExtra, match=r"ticketmail\[kafka\]"):
        broker_of(parse({"broker": {"url": "confluentkafka://host"}}))


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"broker\.url"):
        parse({"broker": {"url": "rabbit"}})


def test_a_short_secret_is_refused_without_being_told() -> None:
    with pytest.raises(SettingsError, match="16 bytes") as caught:
        parse({"broker": {"url": "memory://", "secret": "canary"}})
    assert "canary" not in str(caught.value)


def test_secrets_are_keys_and_never_shown() -> None:
    loaded = load({"broker": {"url": f"amqp://desk:{CANARY}@host//", "secret": [CANARY, CANARY[::-1]]}}, environ={})

    assert job_secrets(loaded.settings) == (CANARY.encode(), CANARY[::-1].encode())
    assert CANARY not in f"{loaded.explain()}{loaded.settings!r}"
