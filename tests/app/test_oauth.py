"""OAuth2 access tokens, from a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from ticketmail.app.settings import TokenSettings
from ticketmail.app.wiring.oauth import RefreshingToken
from ticketmail.domain.errors import SettingsError

CANARY = "c4n4ry-refresh"


class TokenServer(ThreadingHTTPServer):
    """Answers from ``answers`` in turn (the last one again and again); keeps the forms that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Any]] = []
        self.forms: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/token"


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.forms.append({key: values[0] for key, values in form.items()})
        status, answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


class Now:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def source(server: TokenServer, now: Now | None = None, **names: Any) -> RefreshingToken:
    values = {"url": server.url, "client_id": "desk", "refresh_token": CANARY, "scope": "smtp", **names}
    return RefreshingToken(TokenSettings(**values), name="support", monotonic_s=now or Now())


async def test_a_token_is_fetched_once_for_many_callers_and_kept(server: TokenServer) -> None:
    server.answers = [(200, {"access_token": "one", "expires_in": 3600})]
    token = source(server)

    assert await asyncio.gather(*[token(False) for _ in range(20)]) == ["one"] * 20
    assert server.forms == [{"grant_type": "refresh_token", "refresh_token": CANARY, "client_id": "desk", "scope": "smtp"}]


async def test_a_token_is_renewed_five_minutes_before_it_expires(server: TokenServer) -> None:
    server.answers = [(200, {"access_token": "one", "expires_in": 3600}), (200, {"access_token": "two", "expires_in": 3600})]
    now = Now()
    token = source(server, now)
    await token(False)
    now.s += 3299
    assert await token(False) == "one"
    now.s += 1

    assert await token(False) == "two"


async def test_a_refused_token_is_renewed_at_once_and_only_once_for_all_who_met_the_refusal(server: TokenServer) -> None:
    server.answers = [(200, {"access_token": name}) for name in ("one", "two", "three")]
    token = source(server)
    await token(False)

    assert await asyncio.gather(*[token(True) for _ in range(5)]) == ["two"] * 5


async def test_a_rotated_refresh_token_is_used_from_then_on(server: TokenServer) -> None:
    server.answers = [(200, {"access_token": "one", "refresh_token": "next"}), (200, {"access_token": "two"})]
    token = source(server)
    await token(False)
    await token(True)

    assert [form["refresh_token"] for form in server.forms] == [CANARY, "next"]


async def test_without_a_refresh_token_client_credentials_are_used(server: TokenServer) -> None:
    server.answers = [(200, {"access_token": "one"})]

    await source(server, refresh_token="", client_secret="shh")(False)

    assert server.forms[0] == {"grant_type": "client_credentials", "client_id": "desk", "client_secret": "shh", "scope": "smtp"}


async def test_a_refusal_names_the_servers_code_and_no_secret(server: TokenServer) -> None:
    server.answers = [(400, {"error": "invalid_grant", "error_description": f"Token {CANARY} has been revoked"})]

    with pytest.raises(PermissionError, match="400 invalid_grant") as caught:
        await source(server)(False)

    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("answer", [b"<html>", [1], {"expires_in": 5}, {"access_token": ""}, {"access_token": "a\r\nb"}])
async def test_an_answer_without_a_token_is_an_os_error(server: TokenServer, answer: Any) -> None:
    server.answers = [(200, answer)]

    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await source(server)(False)


async def test_a_failure_is_not_kept(server: TokenServer) -> None:
    server.answers = [(503, b""), (200, {"access_token": "one"})]
    token = source(server)
    with pytest.raises(OSError, match="503"):
        await token(False)

    assert await token(False) == "one"


def test_a_token_url_in_the_clear_is_refused_but_on_loopback() -> None:
    with pytest.raises(SettingsError, match=r"accounts\.support\.token\.url"):
        RefreshingToken(
            TokenSettings(url="http://login.example.com/token", client_id="x", refresh_token=SecretStr("y")), name="support"
        )
