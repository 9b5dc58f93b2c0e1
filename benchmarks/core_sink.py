"""A mail server that takes everything and does next to nothing, so that what it is fed by is measured.

python benchmarks/core_sink.py          prints its port; `STAT` on a connection answers `250 COUNT FIRST LAST` (monotonic seconds)
"""

from __future__ import annotations

import asyncio
import time

_OFFERS = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n"
_REPLIES = {b"RSET": b"250 ok\r\n", b"NOOP": b"250 ok\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n"}


class Tally:
    """How many mails, and when the first and the last were taken."""

    def __init__(self) -> None:
        self.count = 0
        self.first_s = self.last_s = 0.0

    def one(self) -> None:
        """A mail was taken."""
        self.last_s = time.monotonic()
        self.first_s = self.first_s or self.last_s
        self.count += 1

    def line(self) -> bytes:
        """The answer to STAT."""
        return f"250 {self.count} {self.first_s:.6f} {self.last_s:.6f}\r\n".encode()


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = bytearray()
        self._in_body = False
        self._to: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._to = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = []
        while (end := self._buffer.find(b"\r\n.\r\n" if self._in_body else b"\r\n")) >= 0:
            line = bytes(self._buffer[: min(end, 8)])
            del self._buffer[: end + (5 if self._in_body else 2)]
            replies.append(self._body() if self._in_body else self._command(line[:4].upper()))
        if replies:
            self._to.write(b"".join(replies))

    def _body(self) -> bytes:
        self._in_body = False
        self._tally.one()
        return b"250 taken\r\n"

    def _command(self, verb: bytes) -> bytes:
        if verb == b"DATA":
            self._in_body = True
            return b"354 go\r\n"
        if verb == b"QUIT":
            self._to.write(b"221 bye\r\n")
            self._to.close()
            return b""
        if verb in (b"EHLO", b"HELO"):
            return _OFFERS
        return self._tally.line() if verb == b"STAT" else _REPLIES.get(verb, b"502 no\r\n")


async def serve() -> None:
    """Until killed."""
    tally = Tally()
    server = await asyncio.get_running_loop().create_server(lambda: Session(tally), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
