"""DKIM and ARC signatures, checked (extra ``dkim``) in a process of its own, which a hostile mail or a silent DNS may end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Final

import dkim  # noqa: F401 (the child needs it: whoever lacks it hears of it here)
from pydantic import ValidationError

from ticketmail.adapters.dkim.caged import SIGNATURES
from ticketmail.adapters.mime.cage import environment
from ticketmail.adapters.mime.caged import frame, unframed_length
from ticketmail.domain.received import Signature

_HEAD_BYTES: Final = 256 * 1024
_LONGEST_ANSWER: Final = 1 << 20
_CPU_S: Final = 5
_MEMORY_BYTES: Final = 512 * 1024 * 1024
#: The most that one mail waits (seconds by the clock), start of the process included.
MAIL_S: Final = 12.0
#: Checks may take so many seconds at once, and this part of all time: a DNS that hangs must not keep a batch from being settled.
BURST_S: Final = 30.0
SHARE: Final = 0.25


class Checker:
    """``SignatureCheck`` with one child. Calls wait for one another; nothing is opened before the first signed mail."""

    def __init__(
        self, nameservers: Sequence[str] = (), *, mail_s: float = MAIL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._nameservers = nameservers
        self._mail_s = mail_s
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._left_s, self._at_s = BURST_S, clock()

    def __call__(self, raw: bytes, author: bytes) -> tuple[Signature, ...]:
        """As the port says. What could not be checked in time is a ``temperror``, and proves nothing."""
        head = raw[:_HEAD_BYTES].lower()
        if b"dkim-signature" not in head and b"arc-seal" not in head:
            return ()
        self._after_fork()
        with self._lock:
            began_s = self._clock()
            self._left_s = min(BURST_S, self._left_s + SHARE * (began_s - self._at_s))
            self._at_s = began_s
            if self._left_s <= 0:
                return _untested("Checks took too long lately; there is a pause.")
            try:
                return self._ask(frame(author, raw))
            except (OSError, EOFError, ValidationError) as error:
                self._end()
                return _untested(f"The check did not end in {self._mail_s:g} s, or failed ({type(error).__name__}).")
            finally:
                self._at_s = self._clock()
                self._left_s -= self._at_s - began_s

    def close(self) -> None:
        """End the child. Idempotent; the next mail begins another."""
        with self._lock:
            self._end()

    def _ask(self, request: bytes) -> tuple[Signature, ...]:
        child = self._running()
        watch = threading.Timer(self._mail_s, child.kill)
        watch.start()
        try:
            _pipe(child.stdin).write(request)
            _pipe(child.stdin).flush()
            return SIGNATURES.validate_json(_answer(_pipe(child.stdout)))
        finally:
            watch.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "ticketmail.adapters.dkim.caged", str(_CPU_S), str(_MEMORY_BYTES), *self._nameservers],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()

    def _after_fork(self) -> None:
        """A parent's child is the parent's."""
        if self._pid != os.getpid():
            self._child, self._lock, self._pid = None, threading.Lock(), os.getpid()


def _untested(reason: str) -> tuple[Signature, ...]:
    return (Signature(method="dkim", result="temperror", reason=reason),)


def _answer(pipe: IO[bytes]) -> bytes:
    head = pipe.read(8)
    length = unframed_length(head)
    answer = pipe.read(length) if len(head) == 8 and length <= _LONGEST_ANSWER else b""
    if not answer or len(answer) < length:
        raise EOFError
    return answer


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
