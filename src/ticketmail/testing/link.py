"""A network link that a test can cut, freeze, slow and heal: a TCP forwarder on loopback, in threads of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

__all__ = ["Link"]

_CHUNK = 65_536


class Link:
    """Forwards to ``host:port`` from a free ``port`` of loopback::

    with Link("127.0.0.1", 5672) as link:
        broker = connect(f"amqp://guest:guest@127.0.0.1:{link.port}//")
        link.cut()      # every connection ends, new ones are refused
        link.freeze()   # connections stay, nothing passes, new ones wait
        link.slow(500_000)  # bytes a second, each way of each connection
        link.heal()
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._flowing = threading.Event()
        self._flowing.set()
        self._whole = True
        self._second_per_byte = 0.0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, name="link", daemon=True).start()

    def cut(self) -> None:
        """End all connections at once (RST), refuse new ones."""
        self._whole = False
        self._flowing.set()
        with self._lock:
            ending, self._open = self._open, set()
        for one in ending:
            _reset(one)

    def freeze(self) -> None:
        """Nothing passes any more; nobody is told."""
        self._flowing.clear()

    def slow(self, bytes_per_s: float) -> None:
        """No more than that passes, each way of each connection."""
        self._second_per_byte = 1 / bytes_per_s

    def heal(self) -> None:
        """As at the start. What was frozen flows on."""
        self._second_per_byte = 0.0
        self._whole = True
        self._flowing.set()

    def close(self) -> None:
        """The end of it. Idempotent."""
        self._closed = True
        self.cut()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), name="link", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=5) if self._whole else None
        except OSError:
            far = None
        if far is None:
            _reset(near)
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        threading.Thread(target=self._pass, args=(far, near), name="link", daemon=True).start()
        self._pass(near, far)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                self._flowing.wait()
                time.sleep(len(chunk) * self._second_per_byte)
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        with self._lock:
            known = {source, target} & self._open
            self._open.discard(source)
        if source in known:
            source.close()


def _reset(one: socket.socket) -> None:
    """RST instead of FIN: the other side learns at once, as of a machine that is gone."""
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
