"""URLs and settings: what they mean, and what is refused without showing a password."""

from __future__ import annotations

import traceback

import pytest

from ticketmail.adapters.smtp import create
from ticketmail.adapters.smtp.target import target_of
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.outcome import Phase
from ticketmail.domain.ports.sending import GatewayOptions

CANARY = "canary-0b7c-secret"


def target(url: str, **options: object):  # type: ignore[no-untyped-def]
    return target_of(url, GatewayOptions(account="support", **options))


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "user", "password"),
    [
        ("smtp://u%40example.com:s%3Ae%2Fc@h.example:2525", "h.example", 2525, "optional", "u@example.com", "s:e/c"),
        ("smtp://u:p@h.example", "h.example", 587, "optional", "u", "p"),
        ("smtp://h.example", "h.example", 25, "optional", "", ""),
        ("smtps://u:p@h.example", "h.example", 465, "implicit", "u", "p"),
        ("smtps://h.example:2465?tls=required", "h.example", 2465, "implicit", "", ""),
        ("smtp://h.example?tls=required", "h.example", 25, "required", "", ""),
        ("smtp://127.0.0.1", "127.0.0.1", 25, "none", "", ""),
        ("smtp://[::1]:2525", "::1", 2525, "none", "", ""),
        ("smtp://localhost?tls=optional", "localhost", 25, "optional", "", ""),
        ("smtp://localhost?ca_file=/ca.pem", "localhost", 25, "optional", "", ""),
    ],
)
def test_a_url_means(url: str, host: str, port: int, tls: str, user: str, password: str) -> None:
    read = target(url)

    assert (read.host, read.port, read.tls, read.username, read.password.get_secret_value()) == (host, port, tls, user, password)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (f"smtp://u:{CANARY}@", "names no host"),
        (f"smtp://u:{CANARY}", "port a number"),
        (f"smtp://u:{CANARY}@h:port", "port a number"),
        (f"smtp://u:{CANARY}@h:99999", "port a number"),
        (f"smtp://u:{CANARY}@h?tls=maybe", "'maybe' is not known"),
        (f"smtp://u:{CANARY}@h?ssl=1", "unknown parameter 'ssl'"),
        (f"smtps://u:{CANARY}@h?tls=none", "contradicts"),
        (f"smtp://u:{CANARY}@h.example?tls=none", "allow_plaintext"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_without_its_password(url: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text) as caught:
        target(url)

    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert "accounts.support.url" in str(caught.value)


def test_plain_speaking_is_allowed_on_loopback_or_by_the_setting() -> None:
    assert target("smtp://127.0.0.1").plaintext
    assert target("smtp://localhost").plaintext
    assert not target("smtp://localhost.example").plaintext
    assert target("smtp://h.example", allow_plaintext=True).plaintext
    assert target("smtp://h.example?tls=none", allow_plaintext=True).tls == "none"


def test_the_time_outs_are_the_rfcs_until_a_setting_says_otherwise() -> None:
    timeouts = target("smtp://h", timeouts_s=(("dot", 60.0),)).timeouts_s

    assert (timeouts[Phase.BANNER], timeouts[Phase.DATA], timeouts[Phase.BODY], timeouts[Phase.DOT]) == (300, 120, 180, 60)


@pytest.mark.parametrize("pair", [("dott", 60.0), ("dot", 0.0)])
def test_a_time_out_that_is_none_is_refused(pair: tuple[str, float]) -> None:
    with pytest.raises(SettingsError, match="is not a time-out"):
        target("smtp://h", timeouts_s=(pair,))


def test_no_repr_shows_the_password() -> None:
    url = f"smtp://help:{CANARY}@h.example"

    assert CANARY not in repr(target(url))
    assert CANARY not in str(target(url))
    assert CANARY not in repr(create(url, GatewayOptions()))


@pytest.mark.parametrize("helo", ["two words", "a\r\nMAIL", "ü.example"])
def test_a_helo_that_is_no_name_is_refused(helo: str) -> None:
    with pytest.raises(SettingsError, match="no host name"):
        target("smtp://h", helo=helo)
