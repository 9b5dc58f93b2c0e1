"""Reads mail in a process of its own, which a hostile mail may end but not more: bounded in time and memory, without secrets.

A mail that ends its reader is read again with less (degraded), then by its header alone (minimal). So every mail is read.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import IO, Final

from pydantic import ValidationError

from ticketmail.adapters.mime.caged import READING, Bounds, frame, unframed_length
from ticketmail.adapters.mime.understanding import understand
from ticketmail.domain.inbound.mail import Tier
from ticketmail.domain.inbound.reading import Reading

#: A reader is replaced after so many mails: what leaks in libraries stays small.
MAILS_PER_READER: Final = 1_000
_HEAD_BYTES: Final = 256 * 1024
_CHUNK: Final = 1 << 20
#: What a mail's reading may take on its way back, as JSON: base64 of its files, and its texts.
_LONGEST_ANSWER: Final = 400 * 1024 * 1024


class _ReaderDied(Exception):
    """The reader ended, hung or answered nonsense; the text says which."""


class Cage:
    """``Reader`` with one child. Thread-safe: calls wait for one another. Opens nothing before the first mail."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._child: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def read(self, raw: bytes) -> Reading:
        """All that the bytes say. Never raises for what a mail is; ``Reading.error`` says what was not read, and why."""
        self._after_fork()
        with self._lock:
            trouble = ""
            for tier in (Tier.FULL, Tier.DEGRADED, Tier.MINIMAL):
                try:
                    found = self._ask(raw if tier is not Tier.MINIMAL else raw[:_HEAD_BYTES], tier)
                except _ReaderDied as error:
                    trouble = trouble or str(error)
                    continue
                return _troubled(found, tier, trouble, len(raw))
            # Header fields alone, of a few kilobytes, here: nothing can end three readers and be harmless, so it gets no more.
            return _troubled(understand(raw[:4096], Tier.MINIMAL), Tier.MINIMAL, trouble, len(raw))

    def close(self) -> None:
        """End the child. Idempotent; the next mail begins another."""
        with self._lock:
            self._end()

    def _ask(self, raw: bytes, tier: Tier) -> Reading:
        child = self._running()
        until_s = time.monotonic() + self._bounds.wall_s
        try:
            _send(child, frame(tier.value.encode(), raw), until_s)
            answer = _receive(child, until_s)
            self._read += 1
            return READING.validate_json(answer)
        except (OSError, ValidationError, _ReaderDied) as error:
            raise _ReaderDied(self._last_words(child, error)) from error

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and (self._child.poll() is not None or self._read >= MAILS_PER_READER):
            self._end()
        if self._child is None:
            self._read = 0
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "ticketmail.adapters.mime.caged", *self._bounds.argv()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
                close_fds=True,
                bufsize=0,
                start_new_session=True,  # a terminal's Ctrl-C is the worker's to handle
            )
            os.set_blocking(_pipe(self._child.stdin).fileno(), False)
        return self._child

    def _last_words(self, child: subprocess.Popen[bytes], error: Exception) -> str:
        self._end()
        code = child.returncode
        if isinstance(error, TimeoutError):
            return f"The reader was ended after {self._bounds.wall_s:g} s."
        if code is not None and code < 0 and code not in (-9, -15):
            return f"The reader was ended by signal {-code}."
        return f"The reader failed ({type(error).__name__})."

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(OSError):
            _pipe(child.stdin).close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
        child.kill()
        child.wait()
        _pipe(child.stdout).close()

    def _after_fork(self) -> None:
        """A parent's child is the parent's."""
        if self._pid != os.getpid():
            self._child, self._lock, self._pid = None, threading.Lock(), os.getpid()


def _troubled(found: Reading, tier: Tier, trouble: str, size_bytes: int) -> Reading:
    if not trouble:
        return found
    mail = replace(found.mail, size_bytes=size_bytes, tier=tier)
    return replace(found, mail=mail, error=trouble if tier is Tier.MINIMAL else "", evidence=(*found.evidence, trouble))


def _send(child: subprocess.Popen[bytes], data: bytes, until_s: float) -> None:
    pipe = _pipe(child.stdin)
    view = memoryview(data)
    while view:
        _wait(pipe, until_s, writing=True)
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(pipe.fileno(), view[:_CHUNK]) :]


def _receive(child: subprocess.Popen[bytes], until_s: float) -> bytes:
    pipe = _pipe(child.stdout)
    length = unframed_length(_exactly(pipe, 8, until_s))
    if length > _LONGEST_ANSWER:
        raise _ReaderDied("The reader's answer is too long.")
    return _exactly(pipe, length, until_s)


def _exactly(pipe: IO[bytes], length: int, until_s: float) -> bytes:
    found = bytearray()
    while len(found) < length:
        _wait(pipe, until_s, writing=False)
        part = os.read(pipe.fileno(), min(_CHUNK, length - len(found)))
        if not part:
            raise _ReaderDied("The reader ended.")
        found += part
    return bytes(found)


def _wait(pipe: IO[bytes], until_s: float, *, writing: bool) -> None:
    poll = select.poll()
    poll.register(pipe.fileno(), select.POLLOUT if writing else select.POLLIN)
    if not poll.poll(max(0.0, until_s - time.monotonic()) * 1000):
        raise TimeoutError


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def environment() -> dict[str, str]:
    """What Python needs to find us, and nothing else: settings and passwords may stand in the environment."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


__all__ = ["Bounds", "Cage"]
