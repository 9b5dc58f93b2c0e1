"""What stores on a server have in common: a worker's row is its lease, by the server's clock, and sockets survive a fork."""

from __future__ import annotations

import contextlib
from typing import Any

DEAD_AFTER_US = 30_000_000  #: without a beat


class ServerStore:
    """A ``Store`` on a server, but for its language, connections and proofs. Writers need not take turns."""

    gap_s = 0.0
    chunk_s = 0.05
    poll_s = 0.1
    leaves_no_handle_at_fork = False

    def before_open(self, *, make: bool) -> None:
        """Nothing to look at before the server answers."""

    def turn(self, *, write: bool) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def changes(self, connection: Any) -> object:
        return None

    def fold(self, connection: Any) -> bool:
        return False

    def worker_began(self, worker_id: str) -> None:
        """Its row is its lease."""

    def worker_ended(self, worker_id: str) -> None:
        """Its row is its lease."""

    def is_dead(self, worker_id: str, beat_us: int, now_us: int) -> bool:
        return now_us - beat_us > DEAD_AFTER_US

    def relieve(self) -> bool:
        return False

    def free_bytes(self) -> int | None:
        return None

    def before_fork(self) -> None:
        """Sockets are left alone; the child opens its own."""

    def in_child(self) -> None:
        """Nothing of the parent's is used."""
