"""The spool thread: one connection, one writer per worker process, group commit.

Whatever is queued when the thread is free goes into ONE transaction; a group that fails is replayed op by op; futures resolve
after the commit. Only what nobody waits for gives others a moment to come, whose commit it shares.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ticketmail.adapters.sql.commits import CommitInDoubt, commit, is_usable, may_go_again, rollback, rolling_back, unreachable
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.errors import is_cut, is_foreign, server_code, translate
from ticketmail.adapters.sql.transaction import Tx
from ticketmail.domain.errors import SpoolBusy, SpoolError, SpoolFull, SpoolUnreachable

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741
_GROUP = 256
_TRIES = 4
_FOLD_EVERY_S = 0.1
#: So long an outcome waits for the beginning of its connection's next mail: an envelope's way to a server nearby.
_PATIENCE_S = 0.003


@dataclass(slots=True, eq=False)
class Op:
    """One wish. ``reads``: changes nothing. ``last``: runs behind the group's others, in this order, so that workers take the
    row locks of documents in one order. ``undo``: what to do about a result that nobody got to see. ``items``: it is one of
    many like it, ``work(tx, items)`` gives a result each, and on servers those of a group share their round trips.
    ``patient``: no mail waits for it."""

    work: Callable[..., Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    reads: bool = False
    last: tuple[str, ...] = ()
    undo: Callable[[Tx, Any], None] | None = None
    items: Sequence[Any] | None = None
    patient: bool = False
    result: Any = None
    error: BaseException | None = None


class SpoolThread:
    """Started by the first wish, ended by :meth:`stop`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wishes: deque[Op] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._connection: Any = None
        self._handle = threading.Lock()  #: held while the connection is in use: no fork then
        self._undo: list[tuple[Callable[[Tx, Any], None], Any]] = []
        self._seen: object = None
        self._folded_s = 0.0
        self.commits = 0
        database.handles.add(self)

    def submit(
        self,
        work: Callable[[Tx], T],
        *,
        reads: bool = False,
        last: tuple[str, ...] = (),
        undo: Callable[[Tx, T], None] | None = None,
    ) -> asyncio.Future[T]:
        """Queue a wish; await the future. Raises SpoolError kin there, and whatever ``work`` raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue(Op(work, loop, future, reads, last, undo))
        return future

    def submit_items(
        self, work: Callable[[Tx, Sequence[I]], list[T]], items: Sequence[I], *, patient: bool = False
    ) -> asyncio.Future[list[T]]:
        """Queue a wish that may be done together with others of the same ``work``."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[T]] = loop.create_future()
        self._queue(Op(work, loop, future, items=items, patient=patient))
        return future

    def _queue(self, op: Op) -> None:
        with self._wake:
            if self._stopping:
                raise RuntimeError("This worker side was closed.")
            self._wishes.append(op)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="ticketmail-spool", daemon=True)
                self._thread.start()
            self._wake.notify()

    def stop(self) -> None:
        """Commit what is queued, then end. Blocks. Idempotent."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._close()

    def changed(self) -> bool:
        """True if another connection has committed since the last look (SQLite). Blocks for microseconds."""
        if not self._handle.acquire(blocking=False):
            return False  # it is writing: look again later
        try:
            if self._connection is None:
                return False
            now = self._database.store.changes(self._connection)
            changed, self._seen = now != self._seen, now
            return changed
        finally:
            self._handle.release()

    # -- the thread

    def _serve(self) -> None:
        while (group := self._take()) is not None:
            try:
                with self._database.busy():
                    self._commit(group)
            except Exception as error:  # a fault of ours must not leave anybody waiting
                self._fail([op for op in group if not op.future.done()], error)
            if self._database.store.gap_s:
                self._leave_a_gap()

    def _leave_a_gap(self) -> None:
        """Others write meanwhile. Now and then the log is folded into the file, so that no commit has to, a host's least of all
        (measured: submit p99 20 ms, 16 ms so). What is long is folded once more at our turn: it begins anew only when all is in
        the file."""
        store, now_s = self._database.store, time.monotonic()
        if now_s - self._folded_s >= _FOLD_EVERY_S:
            self._folded_s = now_s
            if self._fold():
                with contextlib.suppress(SpoolError), store.turn(write=True):
                    self._fold()
        time.sleep(store.gap_s)

    def _fold(self) -> bool:
        with self._handle:
            return self._connection is not None and self._database.store.fold(self._connection)

    def _take(self) -> list[Op] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._wishes or self._stopping)
            if not self._wishes:
                return None
            self._wake.wait_for(self._is_urgent, _PATIENCE_S)
            taken = [self._wishes.popleft() for _ in range(min(len(self._wishes), _GROUP))]
        return sorted(taken, key=lambda op: op.last) if any(op.last for op in taken) else taken

    def _is_urgent(self) -> bool:
        return self._stopping or len(self._wishes) >= _GROUP or not all(op.patient for op in self._wishes)

    def _commit(self, ops: list[Op], *, again: bool = False) -> None:
        try:
            done = self._transact(ops)
        except Exception as error:
            return self._after_failure(ops, error, again=again)
        rest = [op for op in ops if op not in done] if len(done) < len(ops) else []
        self._resolve(done)
        if rest:  # its time was up
            with self._wake:
                self._wishes.extendleft(reversed(rest))
        return None

    def _after_failure(self, ops: list[Op], error: Exception, *, again: bool) -> None:
        """Find out whose fault it is: the spool's fails all of the group, an op's only itself."""
        if isinstance(error, CommitInDoubt):
            self._doubt(ops, error)
        elif isinstance(error, SpoolUnreachable) and not again:
            self._commit(ops, again=True)  # on a new connection
        elif isinstance(error, SpoolUnreachable) or _is_shut(error):
            self._fail(ops, error)
        else:
            for op in ops:
                self._alone(op)

    def _alone(self, op: Op) -> None:
        """Replay one op of a group that failed; again, if the database asks for it or the ballast made room."""
        for left in reversed(range(_TRIES)):
            try:
                return self._resolve(self._transact([op]))
            except CommitInDoubt as error:
                return self._doubt([op], error)
            except (SpoolBusy, SpoolFull) as error:
                retry = self._database.store.relieve() if isinstance(error, SpoolFull) else may_go_again(error)
                if not retry or not left:
                    return self._fail([op], error)
            except Exception as error:
                return self._fail([op], error)
        return None

    def _transact(self, ops: list[Op]) -> list[Op]:
        """Run ops in one transaction, as many as its time allows, and commit. Raises SpoolError kin, CommitInDoubt, or what an
        op raised."""
        writes = not all(op.reads for op in ops)
        store = self._database.store
        try:
            self._database.ready()  # makes the tables, so it wants a turn of its own
            with store.turn(write=writes), self._handle:
                done, tx = self._on_connection(ops, writes)
            self._database.announce(tx)
            return done
        except Exception as error:
            if is_cut(error):
                self._close()
            if is_foreign(error):
                raise translate(error) from error
            raise
        finally:
            if not is_usable(self._connection):
                self._connection = None

    def _on_connection(self, ops: list[Op], writes: bool) -> tuple[list[Op], Tx]:
        connection = self._open()
        cursor = connection.cursor()
        done: list[Op] = []
        with rolling_back(connection):
            now_us = self._database.store.begin_own(cursor, write=writes)
            tx = self._database.tx(cursor, server_now_us=now_us)
            undone = self._run_undo(tx) if writes else 0
            until = time.monotonic() + self._database.store.chunk_s
            for bunch in _bunches(ops, together=self._database.language.locks_rows):
                _run(tx, bunch)
                done += bunch
                if time.monotonic() > until:
                    break
        commit(connection)
        del self._undo[:undone]
        self.commits += 1
        return done, tx

    def _open(self) -> Any:
        if self._connection is None:
            self._connection = self._database.store.own_connection()
            if self._seen is None:  # else it was reopened: look once more than needed
                self._seen = self._database.store.changes(self._connection)
        return self._connection

    def let_go(self) -> None:
        """Close the connection; the next wish opens it again."""
        self._close()
        self._seen = object()

    def _close(self) -> None:
        with self._handle:
            connection, self._connection = self._connection, None
        if connection is not None:
            rollback(connection)
            connection.close()

    def _run_undo(self, tx: Tx) -> int:
        pending = list(self._undo)  # it may grow from the event loop's side
        for undo, result in pending:
            undo(tx, result)
        return len(pending)

    def _doubt(self, ops: list[Op], error: CommitInDoubt) -> None:
        """The answer to COMMIT was lost. What nobody got to see is taken back first on the next connection."""
        self._undo += [(op.undo, op.result) for op in ops if op.undo is not None]
        self._fail(ops, unreachable(error.__cause__ or error))

    def _fail(self, ops: list[Op], error: BaseException) -> None:
        for op in ops:
            op.error = error
        self._resolve(ops)

    def _resolve(self, ops: list[Op]) -> None:
        """Hand results over, one call per event loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Op]] = {}
        for op in ops:
            by_loop.setdefault(op.loop, []).append(op)
        for loop, mine in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._hand_over, mine)
            except RuntimeError:
                continue  # that loop is closed: nobody waits

    def _hand_over(self, ops: list[Op]) -> None:
        """On the event loop's thread."""
        for op in ops:
            if op.future.done():  # cancelled: nobody got to see the result
                if op.undo is not None and op.error is None:
                    self._undo.append((op.undo, op.result))
            elif op.error is not None:
                op.future.set_exception(op.error)
            else:
                op.future.set_result(op.result)


def _is_shut(error: Exception) -> bool:
    """True if nobody can write now: waiting once more for each op would not help."""
    return isinstance(error, SpoolBusy) and not server_code(error.__cause__)


def _bunches(ops: list[Op], *, together: bool) -> list[list[Op]]:
    """Ops in their order; ``together``: those that share ``work`` move up to the first of them."""
    if not together:
        return [[op] for op in ops]
    bunches: dict[object, list[Op]] = {}
    for op in ops:
        bunches.setdefault(op if op.items is None else op.work, []).append(op)
    return list(bunches.values())


def _run(tx: Tx, bunch: list[Op]) -> None:
    if bunch[0].items is None:
        bunch[0].result = bunch[0].work(tx)
        return
    results = bunch[0].work(tx, [item for op in bunch for item in op.items or ()])
    at = 0
    for op in bunch:
        size = len(op.items or ())
        op.result = results[at : at + size]
        at += size
