"""The doorbell's worker side: this process's bell, NOTIFY where the server has it, and a look every poll."""

from __future__ import annotations

import asyncio
import contextlib
import select
import threading
import time
from typing import Any

from sqlalchemy import select as sa_select

from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.errors import SpoolError

#: How far back the look for new rows goes: a host's transaction that took longer is found by the worker's own rounds.
_LOOK_BACK_US = 2_000_000
_LOOK = 64


class LookStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d = t.delivery.c
        self.newest = (
            sa_select(d.submission_id)
            .where(d.accepted_us >= bound("p_since"))
            .order_by(d.accepted_us.desc(), d.submission_id.desc())
            .limit(_LOOK)
        )


class Listener:
    """Waits for new mail. One per worker side."""

    def __init__(self, database: Database, thread: SpoolThread) -> None:
        self._database = database
        self._thread = thread
        self._rung = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._known: set[str] | None = None
        self._ear: ServerEar | None = None
        database.mail_bell.attach(self._ring)

    async def wait(self, timeout_s: float) -> bool:
        """True as soon as new mail may be there, else False after ``timeout_s``."""
        until = time.monotonic() + timeout_s
        woken = self._event()
        self._listen()
        while True:
            if self._take_ring() or await self._look():
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._database.store.poll_s)):
                    await woken.wait()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._database.mail_bell.detach(self._ring)
        if self._ear is not None:
            self._ear.close()

    def _event(self) -> asyncio.Event:
        loop = asyncio.get_running_loop()
        if self._woken is None or self._loop is not loop:
            self._loop, self._woken = loop, asyncio.Event()
        return self._woken

    def _ring(self) -> None:
        """From any thread."""
        self._rung.set()
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(woken.set)

    def _take_ring(self) -> bool:
        rung = self._rung.is_set()
        self._rung.clear()
        if self._woken is not None:
            self._woken.clear()
        return rung

    def _listen(self) -> None:
        if self._database.store.capabilities.rings and self._ear is None:
            self._ear = ServerEar(self._database, self._ring)
            self._ear.start()

    async def _look(self) -> bool:
        """Mail of hosts that cannot ring: theirs came with their own commit."""
        if not self._database.language.locks_rows:
            return self._thread.changed()
        try:
            newest = set(await self._thread.submit(_newest, reads=True))
        except SpoolError:
            return False  # whoever works on it says so; waiting goes on
        known, self._known = self._known, newest
        return bool(newest - (known or set()))  # the first look cannot tell: better once too often


def _newest(tx: Tx) -> list[str]:
    return [id_ for (id_,) in tx.rows(tx.book(LookStatements).newest, p_since=tx.now_us - _LOOK_BACK_US)]


class ServerEar(threading.Thread):
    """LISTENs on a connection of its own. While it cannot, the looks go on."""

    def __init__(self, database: Database, ring: Any) -> None:
        super().__init__(name="ticketmail-ear", daemon=True)
        self._database = database
        self._ring = ring
        self._closed = threading.Event()

    def run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(Exception):
                self._hear()
            self._closed.wait(1.0)

    def close(self) -> None:
        self._closed.set()
        if self.is_alive():
            self.join(timeout=5)

    def _hear(self) -> None:
        connection: Any = self._database.store.listening_connection()
        try:
            connection.autocommit = True
            connection.execute(f'LISTEN "{self._database.bell_name}"')
            self._ring()  # what came before we listened
            while not self._closed.is_set():
                self._hear_once(connection)
        finally:
            connection.close()

    def _hear_once(self, connection: Any) -> None:
        """At most half a second: whoever closes us must not wait longer."""
        if select.select([connection.fileno()], [], [], 0.5)[0]:
            connection.pgconn.consume_input()
            while connection.pgconn.notifies():
                self._ring()
