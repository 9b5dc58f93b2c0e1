"""Events as signed HTTP calls, against a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
from uuid import UUID

import pytest

from ticketmail.adapters.webhook import WebhookCaller, WebhookRefused
from ticketmail.adapters.webhook.caller import body_of
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.events import MailSent
from ticketmail.testing.scripted_http import HttpRequest, ScriptedServer

EVENT = MailSent(
    event_id=UUID(int=7),
    at_us=1_790_000_000_000_123,
    submission_id=UUID(int=9),
    recipient="ann@example.net",
    ticket="4711",
    remote_id="abc",
)
OLD, NEW = "an old secret", "whsec_" + base64.b64encode(b"n" * 24).decode()


def verified(request: HttpRequest, key: bytes) -> bool:
    """As a receiver does it (standardwebhooks.com, "Verifying signatures"), with nothing of ours."""
    ident, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    wanted = base64.b64encode(hmac.new(key, f"{ident}.{at}.".encode() + request.body, hashlib.sha256).digest()).decode()
    return any(one == f"v1,{wanted}" for one in request.headers["webhook-signature"].split(" "))


async def test_an_event_is_a_signed_call() -> None:
    async with ScriptedServer() as host:
        host.answer(204)
        caller = WebhookCaller(f"{host.url}/hook?x=1", secrets=[NEW], allow_private=True, now_s=lambda: 1_790_000_100.9)
        await caller(EVENT)
    (request,) = host.requests
    assert (request.method, request.target) == ("POST", "/hook?x=1")
    assert request.headers["content-type"] == "application/json"
    assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == (UUID(int=7).hex, "1790000100")
    assert verified(request, b"n" * 24)
    assert not verified(request, b"x" * 24)
    body = request.json()
    assert (body["type"], body["timestamp"]) == ("ticketmail.mail.sent", "2026-09-21T14:13:20.000123Z")
    assert (body["data"]["ticket"], body["data"]["recipient"], body["data"]["event_id"]) == (
        "4711", "ann@example.net", str(UUID(int=7)),
    )  # fmt: skip


async def test_while_a_secret_is_changed_both_verify() -> None:
    async with ScriptedServer() as host:
        host.answer(200)
        await WebhookCaller(host.url, secrets=[NEW, OLD], allow_private=True)(EVENT)
    assert verified(host.requests[0], b"n" * 24)
    assert verified(host.requests[0], OLD.encode())


async def test_a_repeated_call_has_the_same_id_and_body_and_its_own_time() -> None:
    times = iter([100.0, 500.0])
    async with ScriptedServer() as host:
        host.answer(200)
        host.answer(200)
        caller = WebhookCaller(host.url, secrets=[OLD], allow_private=True, now_s=lambda: next(times))
        await caller(EVENT)
        await caller(EVENT)
    first, second = host.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert [one.headers["webhook-timestamp"] for one in (first, second)] == ["100", "500"]


@pytest.mark.parametrize("status", [302, 400, 404, 410, 429, 500, 503])
async def test_anything_but_2xx_is_told_again(status: int) -> None:
    async with ScriptedServer() as host:
        host.answer(status, headers={"Retry-After": "77", "Location": "/elsewhere"})
        with pytest.raises(WebhookRefused, match=str(status)) as raised:
            await WebhookCaller(f"{host.url}/secret-path", allow_private=True)(EVENT)
    assert raised.value.retry_after_s == 77
    assert "secret-path" not in str(raised.value)
    assert len(host.requests) == 1


async def test_a_host_that_cuts_or_is_silent_is_told_again() -> None:
    async with ScriptedServer() as host:
        host.cut(after_body=True)
        host.hang()
        caller = WebhookCaller(host.url, allow_private=True, timeout_s=0.3)
        for _ in range(2):
            with pytest.raises(ConnectionError, match="cannot be reached"):
                await caller(EVENT)


async def test_nobody_there_is_told_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match="cannot be reached"):
        await WebhookCaller(f"http://127.0.0.1:{port}/", allow_private=True)(EVENT)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "[::ffff:192.168.0.1]", "0.0.0.0"]
)
async def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    async with ScriptedServer() as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(ConnectionError, match="private address"):
            await WebhookCaller(f"http://{host}:{port}/")(EVENT)
    assert server.requests == []


async def test_calls_run_at_once() -> None:
    async with ScriptedServer() as host:
        for _ in range(4):
            host.answer(200, delay_s=0.5)
        caller = WebhookCaller(host.url, allow_private=True)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(caller(EVENT) for _ in range(4)))
        assert asyncio.get_running_loop().time() - began < 1.5


@pytest.mark.parametrize("url", ["ftp://example.com/", "https://", "example.com", "http://example.com:port/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"webhook\.url"):
        WebhookCaller(url)


def test_a_secret_that_is_no_base64_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"webhook\.secret"):
        WebhookCaller("https://example.com/", secrets=["whsec_!!"])


def test_the_body_has_no_kind_of_its_own() -> None:
    assert b'"kind"' not in body_of(EVENT)
