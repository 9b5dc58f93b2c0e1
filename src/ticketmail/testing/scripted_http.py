"""A tiny HTTP/1.1 server for the tests of HTTP vendors' gateways: records requests, answers by script, cuts and hangs.

::

    async with ScriptedServer() as vendor:
        vendor.answer(202, json={"id": "abc"})             # the next request
        vendor.answer(429, headers={"Retry-After": "30"})  # the one after
        vendor.cut(after_body=True)                        # then: taken, no answer
        ...                                                # vendor.url
        assert vendor.requests[0].json()["to"] == "ann@example.net"

Requests beyond the script get ``default`` (500 with an explanation). Only what gateways need: Content-Length and chunked bodies,
keep-alive, ``Expect: 100-continue``. Loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

__all__ = ["HttpAnswer", "HttpRequest", "ScriptedServer"]

_MAX_HEADER = 64 * 1024
_MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client sent. Header names are lower-case; of repeated ones the last counts. ``target`` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int = 1

    def json(self) -> Any:
        """The body as JSON. Raises ValueError if it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What to answer. ``delay_s`` is waited before. ``deed``: ``answer``, ``cut`` (close without a word), ``hang``, or
    ``cut-before-body`` (close when the request's header has come, its body unread)."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    deed: str = "answer"


#: Answers by what was asked, once the script is used up. None goes on to the default.
Responder = Callable[[HttpRequest], HttpAnswer | None]


class ScriptedServer:
    """The server. ``requests`` has all complete requests in order of arrival."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, respond: Responder | None = None) -> None:
        self.requests: list[HttpRequest] = []
        self.connections = 0
        self.default = HttpAnswer(500, b"nothing scripted for this request")
        self.respond = respond
        self._tls = tls
        self._script: deque[HttpAnswer] = deque()
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._port = 0

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    # Script

    def answer(
        self,
        status: int = 200,
        body: bytes | str = b"",
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        delay_s: float = 0.0,
        times: int = 1,
    ) -> None:
        """Answer the next ``times`` requests so. ``json`` (not None) becomes the body."""
        fields = dict(headers or {})
        if json is not None:
            body = _dumped(json)
            fields.setdefault("Content-Type", "application/json")
        content = body.encode() if isinstance(body, str) else body
        self._script.extend([HttpAnswer(status, content, tuple(fields.items()), delay_s)] * times)

    def cut(self, *, after_body: bool = True, times: int = 1) -> None:
        """Close the connection of the next request without a word: after its body came, or as soon as its header did."""
        self._script.extend([HttpAnswer(deed="cut" if after_body else "cut-before-body")] * times)

    def hang(self, *, times: int = 1) -> None:
        """Take the next request, and never answer."""
        self._script.extend([HttpAnswer(deed="hang")] * times)

    def heal(self) -> None:
        """Forget the rest of the script."""
        self._script.clear()

    # Life

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, cut what is open. Idempotent; ``start`` listens on the same port again."""
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._tasks)
        for task, writer in list(self._tasks.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # Within

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        number = self.connections
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(reader, writer, number):
                    pass
        finally:
            del self._tasks[task]
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        """One request and its answer. False: the connection is done."""
        method, target, headers = await _read_head(reader)
        scripted = self._script.popleft() if self._script else None
        if scripted is not None and scripted.deed == "cut-before-body":
            writer.transport.abort()
            return False
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = HttpRequest(method, target, headers, await _read_body(reader, headers), number)
        self.requests.append(request)
        answer = scripted or (self.respond and self.respond(request)) or self.default
        if answer.deed == "hang":
            await reader.read()  # until the client goes
            return False
        if answer.deed != "answer":
            writer.transport.abort()
            return False
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        writer.write(_rendered(answer))
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > _MAX_HEADER:
        raise OSError("the request's header is too large")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        length = int(headers.get("content-length", "0"))
        if length > _MAX_BODY:
            raise OSError("the request's body is too large")
        return await reader.readexactly(length)
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return b"".join(chunks)


def _rendered(answer: HttpAnswer) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    fields = {"Content-Length": str(len(answer.body)), **dict(answer.headers)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {answer.status} {phrase}\r\n{head}\r\n".encode("latin-1") + answer.body


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
