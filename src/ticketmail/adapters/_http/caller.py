"""One request to a provider, with the moment before its body told apart. Needs httpx.

pool, connect, TLS ──► header ──► on_body ──► body ──► answer
└──────────── NotReached ───────────────┘└──── Unclear ─────┘
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from ticketmail._version import __version__
from ticketmail.adapters._http.server import ApiServer
from ticketmail.domain.outbound.outcome import NotReached, Phase, Unclear
from ticketmail.domain.ports.sending import GatewayOptions

#: Bytes of an answer that are read; providers' answers have a few hundred.
_ANSWER_BYTES: Final = 64 * 1024
#: Bytes of a body per write.
_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """``target`` is path and query."""

    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are lower-case. ``body`` is cut at 64 KiB."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class CallFailed(Exception):
    """No answer. ``failure`` is the fact to report."""

    def __init__(self, failure: NotReached | Unclear) -> None:
        super().__init__(failure.error)
        self.failure = failure


async def nothing() -> None:
    """For calls whose body is no mail."""


class Caller:
    """Belongs to one event loop; opens nothing before the first call. At most ``options.connections`` calls at once, more wait.

    The environment is not looked at: a proxy or a ``.netrc`` would see, or replace, the key.
    """

    def __init__(self, server: ApiServer, options: GatewayOptions) -> None:
        self._server = server
        self._limits = httpx.Limits(max_connections=options.connections, keepalive_expiry=options.idle_s)
        self._client: httpx.AsyncClient | None = None

    async def call(self, call: Call, *, on_body: Callable[[], Awaitable[None]] = nothing) -> Answer:
        """``on_body`` is awaited when the connection stands, before the first byte of the body; what it raises goes through, and
        the connection is closed. Raises CallFailed."""
        deadline, began = asyncio.timeout(None), False

        async def body() -> AsyncIterator[bytes]:
            nonlocal began
            await on_body()
            began = True
            deadline.reschedule(asyncio.get_running_loop().time() + self._server.answer_s)
            for at in range(0, len(call.body), _CHUNK):
                yield call.body[at : at + _CHUNK]

        try:
            async with deadline:
                return await self._exchange(call, body())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CallFailed(_failure(error, began=began)) from None
        except TimeoutError:
            if not deadline.expired():
                raise  # on_body's own
            raise CallFailed(Unclear(f"no whole answer within {self._server.answer_s:g} s")) from None

    async def aclose(self) -> None:
        """Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _exchange(self, call: Call, body: AsyncIterator[bytes]) -> Answer:
        client = self._client or await self._open()
        headers = [("Content-Length", str(len(call.body))), *call.headers]
        request = client.build_request(call.method, call.target, headers=headers, content=body)
        response = await client.send(request, stream=True)
        try:
            read = bytearray()
            async for piece in response.aiter_bytes():
                read += piece
                if len(read) >= _ANSWER_BYTES:
                    break
        finally:
            await response.aclose()
        return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, bytes(read))

    async def _open(self) -> httpx.AsyncClient:
        server = self._server
        verify: ssl.SSLContext | bool = False  # never used: plain HTTP, to loopback
        if server.origin.startswith("https"):
            # Reads the system's certificates: some 20 ms, so not on the event loop.
            verify = await asyncio.to_thread(_trust, server.ca_file)
        if self._client is None:  # another call may have been faster
            timeout = httpx.Timeout(None, connect=server.connect_s)
            headers = {"User-Agent": f"ticketmail/{__version__}", "Accept": "application/json"}
            self._client = httpx.AsyncClient(
                base_url=server.origin, headers=headers, verify=verify, limits=self._limits, timeout=timeout, trust_env=False
            )
        return self._client


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as error:
        text = f"ca_file {ca_file!r}: {error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__}"
        raise CallFailed(NotReached(text, Phase.TLS, tls=True)) from None


def _failure(error: Exception, *, began: bool) -> NotReached | Unclear:
    """What went wrong on the way. Texts of the libraries are not shown: they may quote a header, which holds the key."""
    if began:
        return Unclear(f"{_KINDS.get(type(error), 'the connection broke')} after the mail was on its way")
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", "") or cause.reason or "handshake"
        text = f"TLS failed: {said}. Check the host name and ca_file; the mail is never sent in the clear instead."
        return NotReached(text, Phase.CONNECT, tls=True)
    if isinstance(cause, socket.gaierror):
        return NotReached(f"the host name cannot be resolved: {cause.strerror}", Phase.CONNECT)
    kind = _KINDS.get(type(error), type(error).__name__)
    return NotReached(f"{kind}: {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else kind, Phase.CONNECT)


def _cause(error: BaseException) -> BaseException:
    """The first of the chain that the system numbered, else the last."""
    while not (isinstance(error, OSError) and error.errno is not None):
        inner = error.__cause__ or error.__context__
        if inner is None:
            break
        error = inner.exceptions[0] if isinstance(inner, BaseExceptionGroup) else inner
    return error


#: What httpx says, in words. A test proves that no error of httpx is missing.
_KINDS: Final[Mapping[type[Exception], str]] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ConnectError: "no connection",
    httpx.PoolTimeout: "no free connection in time",
    httpx.ReadTimeout: "no answer in time",
    httpx.WriteTimeout: "the mail was not read in time",
    httpx.ReadError: "the connection was cut",
    httpx.WriteError: "the connection was cut",
    httpx.CloseError: "the connection was cut",
    httpx.RemoteProtocolError: "the connection was closed without an answer, or what came was not HTTP",
    httpx.LocalProtocolError: "the request cannot be written",
    httpx.ProxyError: "a proxy refused",
    httpx.UnsupportedProtocol: "the URL is none",
    httpx.InvalidURL: "the host's name is none",
    httpx.DecodingError: "the answer cannot be read",
    httpx.TooManyRedirects: "redirected too often",
}
