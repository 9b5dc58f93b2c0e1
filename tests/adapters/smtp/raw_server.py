"""A server that says exactly what a test wants, lawful or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Talk = Callable[["Line"], Awaitable[None]]


class Line:
    """One connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[bytes] = []

    async def hear(self) -> bytes:
        line = (await self.reader.readuntil(b"\r\n"))[:-2]
        self.heard.append(line)
        return line

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode("latin-1"))

    async def greet(self, *extensions: str) -> None:
        """Greeting and EHLO."""
        self.say("220 raw")
        await self.hear()
        lines = ["raw", *extensions]
        self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    async def envelope(self, *answers: str) -> None:
        """EHLO with PIPELINING, then MAIL, one RCPT and DATA, then ``answers`` (default: all is well)."""
        await self.greet("PIPELINING")
        await self.again(*answers)

    async def again(self, *answers: str) -> None:
        """MAIL, one RCPT and DATA on a greeted connection, then ``answers``."""
        for _ in range(3):
            await self.hear()
        self.say(*(answers or ("250 ok", "250 ok", "354 go")))

    async def body(self) -> bytes:
        return await self.reader.readuntil(b"\r\n.\r\n")

    def cut(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def raw_server(*talks: Talk) -> AsyncIterator[int]:
    """Plays ``talks``, one per connection in order; the port."""
    left = list(talks)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await left.pop(0)(Line(reader, writer))
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**24)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
