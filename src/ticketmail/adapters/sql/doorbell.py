"""Doorbell: wakes waiters of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Doorbell:
    """Rung in this process when mail (``ears`` of workers) or events came. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = 0
        self._ears: list[Callable[[], None]] = []

    def ring(self) -> None:
        with self._changed:
            self._rung += 1
            self._changed.notify_all()
            ears = list(self._ears)
        for ear in ears:
            ear()

    def attach(self, ear: Callable[[], None]) -> None:
        with self._changed:
            self._ears.append(ear)

    def detach(self, ear: Callable[[], None]) -> None:
        with self._changed:
            self._ears = [kept for kept in self._ears if kept != ear]

    @property
    def rung(self) -> int:
        return self._rung

    def wait(self, seen: int, timeout_s: float) -> None:
        """Until it is rung more than ``seen`` times, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung > seen, timeout_s)
