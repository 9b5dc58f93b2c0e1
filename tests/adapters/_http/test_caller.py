"""What happens on the way to a provider: before the body it is certain that nothing was taken, after it nothing is."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from ticketmail.adapters._http.caller import _KINDS, Call, Caller, CallFailed
from ticketmail.adapters._http.server import server_of
from ticketmail.adapters.sendgrid import create
from ticketmail.app.plugins import open_gateway
from ticketmail.domain.errors import MissingExtra, SettingsError
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import NotReached, Unclear
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.scripted_http import ScriptedServer

POST = Call("POST", "/mails", b"x" * 100_000)


@pytest.fixture
async def http() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


def caller_to(url: str, **options: Any) -> Caller:
    given = GatewayOptions(**options)
    return Caller(server_of(url, given, example="x://host"), given)


async def failure_of(caller: Caller, call: Call = POST) -> NotReached | Unclear:
    with pytest.raises(CallFailed) as caught:
        await caller.call(call)
    await caller.aclose()
    return caught.value.failure


async def test_no_answer_in_time_is_unclear(http: ScriptedServer) -> None:
    http.hang()

    failure = await failure_of(caller_to(http.url, timeouts_s=(("dot", 0.05),)))

    assert failure == Unclear("no whole answer within 0.05 s")


async def test_an_answer_that_trickles_is_not_waited_for_longer_than_was_set() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"x")
            try:
                await asyncio.wait_for(reader.read(1 << 16), 0.01)
            except TimeoutError:
                continue
            except OSError:
                break
        writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server:
        url = f"x://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        failure = await asyncio.wait_for(failure_of(caller_to(url, timeouts_s=(("dot", 0.2),))), 30)

    assert isinstance(failure, Unclear)


@pytest.mark.parametrize("error", [TimeoutError("the spool"), OSError("the spool"), asyncio.CancelledError()])
async def test_what_on_body_raises_goes_through_and_no_byte_of_the_body_left(http: ScriptedServer, error: BaseException) -> None:
    async def fail() -> None:
        raise error

    caller = caller_to(http.url)
    with pytest.raises(type(error)) as caught:
        await caller.call(POST, on_body=fail)
    await caller.aclose()

    assert caught.value is error or isinstance(error, asyncio.CancelledError)
    assert not http.requests


async def test_nothing_listens() -> None:
    failure = await failure_of(caller_to("x://127.0.0.1:9"))

    assert isinstance(failure, NotReached)
    assert classify(failure).cause == "gateway-unreachable"
    assert "no connection" in failure.error


async def test_a_name_that_nobody_knows() -> None:
    failure = await failure_of(caller_to("x://no-such-host.invalid"))

    assert isinstance(failure, NotReached)
    assert classify(failure).cause == "gateway-name"


@pytest.mark.parametrize("host", ["xn--\u2603x", f"{'a' * 70}.example", "a..b"])
async def test_a_host_that_is_no_name(host: str) -> None:
    failure = await failure_of(caller_to(f"x://{host}"))

    assert isinstance(failure, NotReached)
    assert "name" in failure.error


async def test_a_certificate_that_nobody_signed_is_a_matter_of_trust(tmp_path: Path) -> None:
    ours, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    ours.cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    async with ScriptedServer(tls=context) as server:
        server.answer(202)
        url = server.url.replace("https", "x")
        failure = await failure_of(caller_to(url, ca_file=str(tmp_path / "other.pem")))
        caller = caller_to(url, ca_file=str(tmp_path / "ours.pem"))
        answer = await caller.call(POST)
        await caller.aclose()

    assert isinstance(failure, NotReached)
    assert failure.tls
    assert "certificate" in failure.error
    assert answer.status == 202


async def test_a_ca_file_that_is_not_there_is_said() -> None:
    failure = await failure_of(caller_to("x://127.0.0.1:9", ca_file="/nowhere.pem"))

    assert isinstance(failure, NotReached)
    assert failure.tls
    assert "/nowhere.pem" in failure.error


async def test_a_large_answer_is_cut(http: ScriptedServer) -> None:
    http.answer(200, body=b"y" * 1_000_000)
    caller = caller_to(http.url)

    answer = await caller.call(POST)
    await caller.aclose()

    assert 64 * 1024 <= len(answer.body) < 256 * 1024
    assert answer.json() is None


async def test_a_redirect_is_not_followed(http: ScriptedServer) -> None:
    http.answer(307, headers={"Location": f"{http.url}/elsewhere"})
    caller = caller_to(http.url)

    assert (await caller.call(POST)).status == 307
    await caller.aclose()
    assert len(http.requests) == 1


def test_no_error_of_httpx_is_without_words() -> None:
    def leaves(kind: type[Exception]) -> list[type[Exception]]:
        below = kind.__subclasses__()
        return [leaf for one in below for leaf in leaves(one)] if below else [kind]

    raised = {one for one in leaves(httpx.HTTPError) if one.__module__ == "httpx"} - {httpx.HTTPStatusError}
    assert raised <= set(_KINDS)


# The URL


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("x://api.example.com", "https://api.example.com"),
        ("x://api.example.com:8443/", "https://api.example.com:8443"),
        ("x://127.0.0.1:80", "http://127.0.0.1:80"),
        ("x://[::1]:80", "http://[::1]:80"),
        ("x://localhost?ca_file=a.pem", "https://localhost"),
    ],
)
def test_only_loopback_is_spoken_to_in_the_clear(url: str, origin: str) -> None:
    assert server_of(url, GatewayOptions(), example="x://host").origin == origin


def test_a_time_out_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="connect=0"):
        server_of("x://host", GatewayOptions(timeouts_s=(("connect", 0),)), example="x://host")


@pytest.mark.parametrize(
    ("scheme", "package", "extra"),
    [("sendgrid", "httpx", "sendgrid"), ("ses", "httpx", "ses"), ("resend", "httpx", "resend"), ("ses", "botocore", "ses")],
)
def test_a_package_that_is_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, package: str, extra: str
) -> None:
    for name in list(sys.modules):
        if name.startswith(("ticketmail.adapters._http.caller", "ticketmail.adapters._http.gateway", "ticketmail.adapters.ses.")):
            monkeypatch.delitem(sys.modules, name)
        elif name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtra, match=rf"ticketmail\[{extra}\]"):
        open_gateway(f"{scheme}://k:s@host?region=a" if scheme == "ses" else f"{scheme}://:k@host", GatewayOptions(), name="a")


def test_making_one_opens_nothing() -> None:
    assert repr(create("sendgrid://:k@api.sendgrid.com", GatewayOptions())) == "ApiGateway(sendgrid://api.sendgrid.com)"
