"""The kit's HTTP server, seen through httpx."""

from __future__ import annotations

import httpx
import pytest

from ticketmail.testing.scripted_http import HttpAnswer, ScriptedServer


async def test_it_records_requests_and_answers_in_order_of_the_script() -> None:
    async with ScriptedServer() as vendor, httpx.AsyncClient() as client:
        vendor.answer(202, json={"id": "abc"})
        vendor.answer(429, "slow", headers={"Retry-After": "30"})

        first = await client.post(f"{vendor.url}/send?x=1", json={"to": "ann@example.net"}, headers={"X-Key": "k"})
        second = await client.get(f"{vendor.url}/status")
        third = await client.get(f"{vendor.url}/more")

        assert (first.status_code, first.json()) == (202, {"id": "abc"})
        assert (second.status_code, second.text, second.headers["retry-after"]) == (429, "slow", "30")
        assert (third.status_code, third.text) == (500, "nothing scripted for this request")
        request = vendor.requests[0]
        assert (request.method, request.target, request.headers["x-key"]) == ("POST", "/send?x=1", "k")
        assert request.json() == {"to": "ann@example.net"}
        assert vendor.connections == 1


async def test_a_chunked_body_is_read_whole() -> None:
    async def pieces():  # type: ignore[no-untyped-def]
        yield b"one"
        yield b"two"

    async with ScriptedServer() as vendor, httpx.AsyncClient() as client:
        vendor.answer()
        await client.post(vendor.url, content=pieces())

        assert vendor.requests[0].body == b"onetwo"


@pytest.mark.parametrize(("after_body", "recorded"), [(True, 1), (False, 0)])
async def test_a_cut_is_before_or_after_the_request_was_taken(after_body: bool, recorded: int) -> None:
    async with ScriptedServer() as vendor, httpx.AsyncClient() as client:
        vendor.cut(after_body=after_body)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
            await client.post(vendor.url, content=b"x")

        assert len(vendor.requests) == recorded


async def test_a_hang_answers_never() -> None:
    async with ScriptedServer() as vendor, httpx.AsyncClient(timeout=0.2) as client:
        vendor.hang()
        with pytest.raises(httpx.ReadTimeout):
            await client.get(vendor.url)

        assert len(vendor.requests) == 1


async def test_a_responder_answers_by_what_was_asked() -> None:
    vendor = ScriptedServer(respond=lambda request: HttpAnswer(204) if request.target == "/ok" else None)
    async with vendor, httpx.AsyncClient() as client:
        assert (await client.get(f"{vendor.url}/ok")).status_code == 204
        assert (await client.get(f"{vendor.url}/other")).status_code == 500


async def test_it_stops_twice_and_starts_again_on_the_same_port() -> None:
    vendor = ScriptedServer()
    await vendor.start()
    url = vendor.url
    await vendor.stop()
    await vendor.stop()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
        await vendor.start()
        vendor.answer(200, "back")
        assert (await client.get(url)).text == "back"
    assert vendor.url == url
    await vendor.stop()
