"""The wire of one established session: commands out, replies in, flow control. No policy.

It takes over a transport whose greeting, TLS and login are done (``transport.set_protocol``). Replies are parsed as they come in
and wait in a queue, so that pipelined commands (RFC 2920) lose none, and a 354 may come while something else is awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable

from ticketmail.adapters.smtp.replies import reply_of
from ticketmail.domain.outbound.outcome import Reply

_MAX_LINE = 8 * 1024
_REPLY = re.compile(r"[2-5][0-9][0-9](?:[ -]|$)")
_MAX_LINES = 200  #: of one reply
_MAX_QUEUED = 2_000  #: replies that nobody has read yet


class WireError(Exception):
    """The session is of no use any more. ``str()`` says why, for people. Deliberately no OSError: only this wire raises it."""


class Lost(WireError):
    """The connection ended."""


class TimedOut(WireError):
    """No reply, or no room to write, within the time-out of the phase."""


class OutOfStep(WireError):
    """What came is not SMTP, or not an answer to what was asked."""


class Wire(asyncio.Protocol):
    """One connection. Used by one task at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._error: WireError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self.gone = asyncio.Event()  #: set when the connection is closed on our side
        # With these limits "paused" means: bytes of ours are still in our own buffer. See `unflushed`. (high=0 would make
        # asyncio's TLS transport pause and resume on an empty buffer.)
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    # What asyncio calls

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            self._parse()
        except OutOfStep as error:
            self._fail(error)
            self._transport.abort()
        self._wake()

    def eof_received(self) -> bool:
        return False  # asyncio closes the transport and calls connection_lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(Lost(f"connection lost: {exc}" if exc else "the server closed the connection"))
        self.gone.set()
        self._wake()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    # What a transaction calls

    @property
    def usable(self) -> bool:
        """Alive, in step, and nothing unasked-for has come (a 421 before the server closes, say)."""
        return self._error is None and not self._replies and not self._buffer and not self._transport.is_closing()

    @property
    def unflushed(self) -> bool:
        """True if the last bytes written are provably still in our own buffer, or were when the connection ended."""
        return self._paused

    @property
    def answered(self) -> bool:
        """True if a reply waits to be read."""
        return bool(self._replies)

    def about(self, name: str) -> object:
        """What asyncio knows of the transport (``ssl_object``), or None."""
        found: object = self._transport.get_extra_info(name)
        return found

    def write(self, data: bytes | memoryview) -> None:
        """Hand bytes to the transport. Raises WireError, and then none of them were written."""
        if self._error is not None:
            raise self._error
        if self._transport.is_closing():
            raise Lost("the connection is closed")
        self._transport.write(data)

    async def drain(self, timeout_s: float) -> None:
        """Wait until all that was written has left our buffer, or a reply has come. Raises WireError."""
        await self._until(lambda: not self._paused or bool(self._replies), timeout_s, "the server stopped reading")
        if self._error is not None:
            raise self._error

    async def reply(self, timeout_s: float) -> Reply:
        """The next reply, in order. Replies that came before the connection ended are still delivered. Raises WireError."""
        if not self._replies:
            await self._until(lambda: bool(self._replies), timeout_s, "no reply")
        if self._replies:
            return self._replies.popleft()
        assert self._error is not None
        raise self._error

    async def ask(self, line: bytes, timeout_s: float) -> Reply:
        """One command (without its CRLF), one reply. Raises WireError."""
        self.write(line + b"\r\n")
        return await self.reply(timeout_s)

    def quit(self) -> None:
        """Say QUIT without waiting for the answer, and close."""
        with contextlib.suppress(WireError):
            self.write(b"QUIT\r\n")
        self._transport.close()

    def abort(self) -> None:
        """Close at once. What is in our buffer is thrown away and never sent."""
        self._fail(Lost("closed by us"))
        self._transport.abort()

    # Within

    async def _until(self, ready: Callable[[], bool], timeout_s: float, complaint: str) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not ready() and self._error is None:
                    self._waiter = self._loop.create_future()
                    await self._waiter
        except TimeoutError:
            raise TimedOut(f"{complaint} within {timeout_s:g} s") from None
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: WireError) -> None:
        self._error = self._error or error

    def _parse(self) -> None:
        start = 0
        while (end := self._buffer.find(b"\n", start)) != -1:
            self._line(bytes(self._buffer[start:end]))
            start = end + 1
        del self._buffer[:start]
        if len(self._buffer) > _MAX_LINE:
            raise OutOfStep("a reply line has no end")

    def _line(self, raw: bytes) -> None:
        line = raw.rstrip(b"\r").decode("utf-8", "replace")
        if len(raw) > _MAX_LINE or not _REPLY.match(line):
            raise OutOfStep(f"not an SMTP reply: {line[:60]!r}")
        self._lines.append(line)
        if line[3:4] == "-":
            if len(self._lines) > _MAX_LINES:
                raise OutOfStep("a reply has no end")
            return
        self._replies.append(reply_of(self._lines))
        self._lines = []
        if len(self._replies) > _MAX_QUEUED:
            raise OutOfStep("replies to nothing that was asked")
