"""Alerts by webhook, to a real HTTP server on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ticketmail.adapters.alerting import WebhookSink
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.alerting import Alert

ALERT = Alert(
    "auth:support",
    "page",
    "Login refused",
    "535 5.7.8 no",
    "desk",
    at_us=1_800_000_000_000_000,
    since_us=1,
    count=3,
    accounts=("support",),
)


class HookServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/c4n4ry/path"


class _Handler(BaseHTTPRequestHandler):
    server: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HookServer]:
    with HookServer() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


async def test_an_alert_is_posted_as_json_with_a_text_for_chat_tools(server: HookServer) -> None:
    await WebhookSink(server.url).send(ALERT)

    body = json.loads(server.got[0][1])
    assert body["type"] == "ticketmail.alert.raised"
    assert body["text"].startswith("[desk] PAGE: Login refused\n535 5.7.8 no")
    assert (body["data"]["fingerprint"], body["data"]["count"], body["data"]["accounts"]) == ("auth:support", 3, ["support"])


async def test_a_signed_alert_can_be_verified_as_standard_webhooks_says(server: HookServer) -> None:
    key = bytes(range(32))
    await WebhookSink(server.url, secret="whsec_" + base64.b64encode(key).decode()).send(ALERT)

    headers, body = server.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_anything_but_success_is_an_os_error_that_does_not_show_the_url(server: HookServer, status: int) -> None:
    server.status = status

    with pytest.raises(OSError, match=str(status)) as caught:
        await WebhookSink(server.url).send(ALERT)

    assert "c4n4ry" not in str(caught.value)
    assert len(server.got) == 1


async def test_an_unreachable_host_is_an_os_error_that_does_not_show_the_url(server: HookServer) -> None:
    with pytest.raises(OSError, match="cannot be reached") as caught:
        await WebhookSink("http://127.0.0.1:1/c4n4ry").send(ALERT)

    assert "c4n4ry" not in str(caught.value) + repr(WebhookSink(server.url))


@pytest.mark.parametrize(("url", "secret"), [("ftp://x/y", ""), ("https://", ""), ("https://x/y", "whsec_%%%")])
def test_settings_that_cannot_work_are_refused_by_name(url: str, secret: str) -> None:
    with pytest.raises(SettingsError, match=r"alerts\.webhook"):
        WebhookSink(url, secret=secret)
