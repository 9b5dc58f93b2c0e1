"""Health and metrics over real sockets on loopback."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from ticketmail.app.web import Health, HttpServer, parse_bind, serve
from ticketmail.app.web import server as module
from ticketmail.domain.errors import SettingsError


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., object]]:
    servers: list[HttpServer] = []

    async def make(health: Callable[[], Health] = lambda: Health(True), **more: object) -> str:
        servers.append(await serve("127.0.0.1:0", health, **more))
        return f"http://127.0.0.1:{servers[-1].port}"

    yield make
    for server in servers:
        await server.aclose()


async def get(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, url)


async def raw(url: str, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_live_process_says_so_whatever_the_spool_does(start) -> None:
    url = await start(lambda: Health(False, "the spool: gone"))
    answer = await get(f"{url}/healthz")
    assert (answer.status_code, answer.text) == (200, "alive\n")


async def test_readiness_is_503_with_the_reason_until_it_is_there(start) -> None:
    health = [Health(False, "the spool: it cannot be reached")]
    url = await start(lambda: health[0])
    answer = await get(f"{url}/readyz")
    assert (answer.status_code, answer.text) == (503, "the spool: it cannot be reached\n")
    health[0] = Health(True)
    assert ((await get(f"{url}/readyz")).status_code, (await get(f"{url}/readyz")).text) == (200, "ready\n")


async def test_without_the_extra_metrics_name_it(start) -> None:
    answer = await get(f"{await start()}/metrics")
    assert answer.status_code == 404
    assert "pip install 'ticketmail[prometheus]'" in answer.text


async def test_metrics_are_given_with_their_content_type(start) -> None:
    url = await start(metrics=lambda: ("text/plain; version=0.0.4", b"x 1\n"))
    answer = await get(f"{url}/metrics?name=all")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"x 1\n", "text/plain; version=0.0.4")


async def test_head_has_the_length_and_no_body(start) -> None:
    answer = await get(f"{await start()}/healthz", "HEAD")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "6", b"")


async def test_other_methods_and_paths_are_refused_without_an_echo(start) -> None:
    url = await start()
    answer = await get(f"{url}/healthz", "POST")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = await get(f"{url}/<script>")
    assert answer.status_code == 404
    assert "script" not in answer.text


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / SMTP/1.0\r\n\r\n"])
async def test_what_is_not_http_gets_400(start, data: bytes) -> None:
    assert (await raw(await start(), data)).startswith(b"HTTP/1.1 400 ")


async def test_a_head_beyond_8_kib_is_refused(start) -> None:
    answer = await raw(await start(), b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_silent_client_is_let_go(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.05)
    assert await raw(await start(), b"GET / HT") == b""


async def test_more_connections_than_allowed_are_dropped_at_once(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    url = await start()
    _, kept = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    kept.write(b"GET /hea")
    await kept.drain()
    assert await raw(url, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
    kept.close()


async def test_a_report_that_fails_is_500_and_says_nothing_of_why(start, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Health:
        raise RuntimeError("hunter2")

    with caplog.at_level(logging.CRITICAL, "ticketmail.web"):
        answer = await get(f"{await start(fail)}/readyz")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


async def test_a_report_that_takes_too_long_is_503(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> Health:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)
        return Health(True)

    try:
        assert (await get(f"{await start(slow)}/readyz")).status_code == 503
    finally:
        gate.set()


async def test_closing_twice_is_fine_and_frees_the_port() -> None:
    server = await serve("127.0.0.1:0", lambda: Health(True))
    port = server.port
    await server.aclose()
    await server.aclose()
    again = await serve(f"127.0.0.1:{port}", lambda: Health(True))
    await again.aclose()


async def test_a_taken_port_is_a_settings_error_that_names_the_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(SettingsError, match=r"worker.http: Cannot listen on .* Choose another port"):
            await serve(f"127.0.0.1:{other.getsockname()[1]}", lambda: Health(True))


@pytest.mark.parametrize(
    ("text", "bind"),
    [(":9464", ("127.0.0.1", 9464)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:9464", ("::1", 9464))],
)
def test_without_a_host_it_is_loopback(text: str, bind: tuple[str, int]) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize("text", ["9464", "host:", "host:99999", "host:http"])
def test_what_is_no_address_names_the_remedy(text: str) -> None:
    with pytest.raises(SettingsError, match=r"Write 127.0.0.1:9464"):
        parse_bind(text)
