"""The store: one state under one lock, two doorbells, and how a spool gets at it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ticketmail.adapters.memory.state import State
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.errors import SettingsError, SiteMismatch
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.ports.timing import Clock


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()


class Doorbell:
    """Wakes waiters of this process. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ears: list[Callable[[], None]] = []
        self.rung = 0  #: how often

    def ring(self) -> None:
        with self._changed:
            self.rung += 1
            self._changed.notify_all()
            ears = list(self._ears)
        for ear in ears:
            ear()

    def wait(self, seen: int, timeout_s: float) -> None:
        """Until it is rung more than ``seen`` times, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.rung > seen, timeout_s)

    def attach(self, ear: Callable[[], None]) -> None:
        """``ear`` is called by whoever rings, in their thread."""
        with self._changed:
            self._ears.append(ear)

    def detach(self, ear: Callable[[], None]) -> None:
        with self._changed:
            self._ears = [kept for kept in self._ears if kept != ear]


class Store:
    """What spools of one name share."""

    def __init__(self) -> None:
        self.state = State()
        self.renew()
        _stores.add(self)

    def renew(self) -> None:
        """Locks and bells of this process: nobody of another one holds them."""
        self.lock = threading.RLock()
        self.mail_bell = Doorbell()
        self.event_bell = Doorbell()


class Access:
    """A spool's way to its store: with its clock, for its site."""

    def __init__(self, store: Store, options: SpoolOptions) -> None:
        self.store = store
        self.site = options.site
        self.order_wait_us = int(options.order_wait_s * 1_000_000)
        self.clock: Clock = options.clock or SystemClock()

    @contextmanager
    def tx(self, *, any_site: bool = False) -> Iterator[Tx]:
        """A transaction under the lock. Raises SiteMismatch if the spool is another site's, unless ``any_site``."""
        with self.store.lock:
            tx = Tx(self.store.state, self.clock.now_us(), self.clock.monotonic_s())
            try:
                if not any_site:
                    self._check_site(tx)
                yield tx
            except BaseException:
                tx.take_back()
                raise
        if tx.rings:
            self.store.mail_bell.ring()
        if tx.tells:
            self.store.event_bell.ring()

    def _check_site(self, tx: Tx) -> None:
        if not tx.state.site:
            tx.change(tx.state, site=self.site)
        if tx.state.site != self.site:
            raise SiteMismatch(
                f"The spool belongs to site {tx.state.site!r}, the settings say {self.site!r}.",
                remedy="Use another name in memory://NAME, or `ticketmail adopt SITE --hold --reason ...` to take it over.",
            )


async def turn() -> None:
    """Let others of the event loop have theirs, as a spool with a thread would. Before the work: whoever is cancelled here has
    done nothing."""
    await asyncio.sleep(0)


def refuse_connection(connection: object | None) -> None:
    """There is no transaction of a database to join. Raises SettingsError."""
    if connection is not None:
        raise no_transaction()


def no_transaction() -> SettingsError:
    """What a host is told that names a connection."""
    return SettingsError(
        "connection= needs a spool in the host's database; this one is in memory.",
        name="spool",
        remedy="Set a sqlite:/// or postgresql:// spool, or leave connection= out.",
    )


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_held: list[Store] = []


def _before_fork() -> None:
    """No change may be half done in the child's copy."""
    stores = sorted(_stores, key=id)
    for store in stores:
        store.lock.acquire()
    _held.extend(stores)


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()


def _after_fork_in_child() -> None:
    while _held:
        _held.pop().renew()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
