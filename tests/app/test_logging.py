"""Logs never hold a secret, and no mail can forge a line in them."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from ticketmail.app.logging import Redaction, set_up

CANARY = "c4n4ry p@ss/w:rd"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    logger = logging.getLogger("ticketmail")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture(params=["structlog", "plain"])
def out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "structlog", None)
    return io.StringIO()


@pytest.mark.parametrize("as_json", [True, False])
def test_known_secrets_are_masked_in_every_spelling(out: io.StringIO, as_json: bool) -> None:
    set_up(as_json=as_json, secrets=[CANARY], stream=out)
    log = logging.getLogger("ticketmail.worker")

    log.warning(
        "login with %s", CANARY, extra={"fields": {"url": "smtp://x:c4n4ry%20p%40ss%2Fw%3Ard@host", "deep": {"list": [CANARY]}}}
    )
    try:
        raise ValueError(CANARY)
    except ValueError:
        log.exception("failed")

    text = out.getvalue()
    assert "c4n4ry" not in text
    assert "ValueError" in text
    assert text.count("***") >= 4


def test_json_lines_carry_level_logger_event_and_fields(out: io.StringIO) -> None:
    set_up(as_json=True, stream=out)

    logging.getLogger("ticketmail.worker").warning("held", extra={"fields": {"account": "support", "count": 3}})

    line = json.loads(out.getvalue())
    assert {key: line[key] for key in ("level", "logger", "event", "account", "count")} == {
        "level": "warning", "logger": "ticketmail.worker", "event": "held", "account": "support", "count": 3,
    }  # fmt: skip


@pytest.mark.parametrize("as_json", [True, False])
def test_control_characters_cannot_forge_a_line(out: io.StringIO, as_json: bool) -> None:
    set_up(as_json=as_json, stream=out)

    logging.getLogger("ticketmail.worker").warning("subject %s", "x\r\n2026 ERROR forged \x1b[31m \u2028y")

    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b[31m" not in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def-123",
        "authorization: Basic dXNlcjpzM2NyZXQ=",
        "C: AUTH PLAIN AHVzZXIAczNjcmV0",
        "postgresql://desk:s3cret@db/desk",
        "refresh_token=s3cret&x=1",
        "{'password': 's3cret'}",
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_named_it(text: str) -> None:
    masked = Redaction().text(text)

    assert "***" in masked
    assert not any(secret in masked for secret in ("abc.def", "dXNlcj", "AHVz", "s3cret"))


def test_innocent_text_stays() -> None:
    text = "250 2.0.0 Ok: queued as 4B1; author ann@example.net, auth accepted, see https://example.org/a:b"

    assert Redaction(["", "ab"]).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "accounts.help.password: Cannot read /run/secrets/help.password: No such file or directory. Check path and rights.",
        "accounts.help.token.client_secret: ${X} is not set in the environment. Set X.",
    ],
)
def test_an_error_about_a_setting_can_be_read(text: str) -> None:
    assert Redaction().text(text) == text


def test_a_password_that_is_a_word_is_masked_alone_and_not_within_another() -> None:
    masked = Redaction(["secret", "swordfish7"]).text

    assert masked("535 help secret is wrong, login=help:secret@x, (secret)") == "535 help *** is wrong, login=help:***@x, (***)"
    assert masked('password = "file:/run/secrets/help.password"') == 'password = "file:/run/secrets/help.password"'
    assert masked("Its secretary; webhook_secret") == "Its secretary; webhook_secret"
    assert masked("xswordfish7x") == "x***x"


def test_setting_up_twice_logs_once_and_leaves_a_hosts_handlers(out: io.StringIO) -> None:
    mine = logging.NullHandler()
    logging.getLogger("ticketmail").addHandler(mine)
    set_up(stream=out)
    set_up(stream=out)

    logging.getLogger("ticketmail.x").warning("once")

    assert len(out.getvalue().splitlines()) == 1
    assert mine in logging.getLogger("ticketmail").handlers


def test_structlog_events_go_the_same_way_and_are_masked() -> None:
    structlog = pytest.importorskip("structlog")
    out = io.StringIO()
    set_up(as_json=True, secrets=[CANARY], stream=out)

    structlog.get_logger("ticketmail.worker").info("sent", reply=CANARY)

    line = json.loads(out.getvalue())
    assert (line["event"], line["reply"], line["logger"]) == ("sent", "***", "ticketmail.worker")
