"""A tiny HTTP/1.1 server (RFC 9112) with strict bounds: one short request per connection, GET and HEAD only, three paths.

``/healthz``: the process lives. ``/readyz``: the spool is reachable and the worker beats. ``/metrics``: Prometheus.
Nothing of what a client sends is ever in an answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from ticketmail.app.observing import Exposition
from ticketmail.domain.errors import SettingsError

#: The longest request head (bytes), the longest wait for it, and for an answer (seconds), the most connections at once.
MAX_HEAD_BYTES = 8 * 1024
HEAD_S = 5.0
ANSWER_S = 10.0
MAX_CONNECTIONS = 32
LOOPBACK = "127.0.0.1"
TEXT = "text/plain; charset=utf-8"

_log = logging.getLogger("ticketmail.web")


@dataclass(frozen=True, slots=True)
class Health:
    """``ready``: mail can be sent. ``text`` says why not, in a line without secrets."""

    ready: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = TEXT
    allow: str = ""


def parse_bind(text: str) -> tuple[str, int]:
    """``host:port``, ``[::1]:9464`` or ``:9464`` (loopback) as host and port. Raises SettingsError."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise SettingsError(f"{text!r} is not host:port.", name="worker.http", remedy=f"Write {LOOPBACK}:9464.")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)


class HttpServer:
    """A server that runs. Closing it ends connections at once: nobody's data is lost by it."""

    def __init__(self, health: Callable[[], Health], metrics: Exposition | None) -> None:
        self._health = health
        self._metrics = metrics
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError: the port is taken, say."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=MAX_HEAD_BYTES)

    @property
    def port(self) -> int:
        """The port in use: the one that the system chose, where 0 was asked for."""
        if self._server is None or not self._server.sockets:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Stop. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the client has gone, or the server ends: nobody waits for an answer
        finally:
            self._open.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            await _write(writer, _text(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), with_body=True)
            return
        except (asyncio.IncompleteReadError, TimeoutError):
            return  # not a request; slow ones do not keep a place
        method, path = _request_line(head)
        await _write(writer, await self._answer(method, path), with_body=method != "HEAD")

    async def _answer(self, method: str, path: str) -> _Answer:
        if not method:
            return _text(HTTPStatus.BAD_REQUEST)
        if method not in ("GET", "HEAD"):
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"Only GET and HEAD.\n", allow="GET, HEAD")
        answers = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics_page}
        if path not in answers:
            return _text(HTTPStatus.NOT_FOUND, f"Not here. There are {', '.join(answers)}.")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answers[path]()
        except TimeoutError:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, f"No answer within {ANSWER_S:g} s.")
        except Exception:  # a fault in a report must not look like a dead process
            _log.exception("%s could not be answered", path)
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, "It could not be told; the log says why.")

    async def _healthz(self) -> _Answer:
        return _text(HTTPStatus.OK, "alive")

    async def _readyz(self) -> _Answer:
        health = await asyncio.to_thread(self._health)  # it may look into the spool
        status = HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _text(status, health.text or ("ready" if health.ready else "not ready"))

    async def _metrics_page(self) -> _Answer:
        if self._metrics is None:
            return _text(HTTPStatus.NOT_FOUND, "Metrics need the extra: pip install 'ticketmail[prometheus]'.")
        content_type, body = await asyncio.to_thread(self._metrics)
        return _Answer(HTTPStatus.OK, body, content_type)


async def serve(bind: str, health: Callable[[], Health], *, metrics: Exposition | None = None) -> HttpServer:
    """Listen on ``bind`` (``host:port``; without a host, loopback), on the running loop, until ``aclose()``.

    ``health`` and ``metrics`` are called in threads; they may block for up to 10 s.

    Raises:
        SettingsError: ``bind`` cannot be understood, or cannot be listened on.
    """
    host, port = parse_bind(bind)
    server = HttpServer(health, metrics)
    try:
        await server.start(host, port)
    except OSError as error:
        remedy = "Choose another port, or '' for none."
        raise SettingsError(f"Cannot listen on {bind}: {error.strerror or error}.", name="worker.http", remedy=remedy) from error
    if host not in (LOOPBACK, "::1", "localhost"):
        _log.warning("health and metrics are open to the network on %s: they have no login", bind)
    return server


def _request_line(head: bytes) -> tuple[str, str]:
    """Method and path (without its query); '' for both if it is not HTTP."""
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1.") or not parts[0].isalpha():
        return "", ""
    return parts[0].decode(), parts[1].partition(b"?")[0].decode("ascii", "replace")


def _text(status: HTTPStatus, text: str = "") -> _Answer:
    return _Answer(status, f"{' '.join((text or status.phrase).split())}\n".encode())


async def _write(writer: asyncio.StreamWriter, answer: _Answer, *, with_body: bool) -> None:
    head = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    head += [f"Allow: {answer.allow}"] * bool(answer.allow)
    writer.write("\r\n".join([*head, "", ""]).encode() + (answer.body if with_body else b""))
    async with asyncio.timeout(HEAD_S):
        await writer.drain()
