"""A process of our own that answers requests: bounded in time, without secrets, ended and replaced whenever it fails."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Final

from ticketmail.adapters.mime.answering import LENGTH, unframed_length

#: It is replaced after so many answers: what leaks in libraries stays small.
ANSWERS_PER_CHILD: Final = 1_000
_CHUNK: Final = 1 << 20


class ChildDied(Exception):
    """It ended, hung or answered nonsense; the text says which."""


class Child:
    """``python -m module arguments``, started by the first request. ``name`` is what it is for people; ``longest`` the most bytes
    of an answer. Used within :meth:`alone`."""

    def __init__(self, module: str, arguments: Sequence[str], *, name: str, longest: int) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._name = name
        self._longest = longest
        self._answers = 0
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Callers wait for one another. After a fork a parent's process is the parent's."""
        if self._pid != os.getpid():
            self.process, self._lock, self._pid = None, threading.Lock(), os.getpid()
        with self._lock:
            yield

    def ask(self, request: bytes, wall_s: float) -> bytes:
        """Its answer, within ``wall_s`` seconds, start of the process included. Raises ChildDied: the next one begins another."""
        until_s = time.monotonic() + wall_s
        try:
            process = self._running()
            _send(process, request, until_s)
            answer = self._receive(process, until_s)
        except (OSError, ChildDied) as error:
            raise ChildDied(self._last_words(error, wall_s)) from error
        self._answers += 1
        return answer

    def end(self) -> None:
        """Idempotent; the next request begins another."""
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            _pipe(process.stdin).close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.kill()
        process.wait()
        _pipe(process.stdout).close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is not None and (self.process.poll() is not None or self._answers >= ANSWERS_PER_CHILD):
            self.end()
        if self.process is None:
            self._answers = 0
            self.process = subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                close_fds=True,
                bufsize=0,
                start_new_session=True,  # a terminal's Ctrl-C is the worker's to handle
            )
            os.set_blocking(_pipe(self.process.stdin).fileno(), False)
        return self.process

    def _receive(self, process: subprocess.Popen[bytes], until_s: float) -> bytes:
        pipe = _pipe(process.stdout)
        length = unframed_length(_exactly(pipe, LENGTH, until_s))
        if length > self._longest:
            raise ChildDied("Its answer is too long.")
        return _exactly(pipe, length, until_s)

    def _last_words(self, error: Exception, wall_s: float) -> str:
        process = self.process
        self.end()
        code = process.returncode if process is not None else None
        if isinstance(error, TimeoutError):
            return f"The {self._name} was ended after {wall_s:g} s."
        if code is not None and code < 0 and code not in (-9, -15):
            return f"The {self._name} was ended by signal {-code}."
        return f"The {self._name} failed ({type(error).__name__})."


def _send(process: subprocess.Popen[bytes], data: bytes, until_s: float) -> None:
    pipe = _pipe(process.stdin)
    view = memoryview(data)
    while view:
        _wait(pipe, until_s, writing=True)
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(pipe.fileno(), view[:_CHUNK]) :]


def _exactly(pipe: IO[bytes], length: int, until_s: float) -> bytes:
    found = bytearray()
    while len(found) < length:
        _wait(pipe, until_s, writing=False)
        part = os.read(pipe.fileno(), min(_CHUNK, length - len(found)))
        if not part:
            raise ChildDied("It ended.")
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


def _environment() -> dict[str, str]:
    """What Python needs to find us, and nothing else: settings and passwords may stand in the environment."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
