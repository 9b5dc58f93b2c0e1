"""The child's side of a :class:`~ticketmail.adapters.mime.child.Child`: requests of two parts from standard input, answers to
standard output, each with its length before it. Bounded by the system, which ends what takes more.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

LENGTH: Final = 8


def frame(*parts: bytes) -> bytes:
    """Each part with its length before it."""
    return b"".join(len(part).to_bytes(LENGTH, "big") + part for part in parts)


def unframed_length(head: bytes) -> int:
    """The length that stands before a part."""
    return int.from_bytes(head, "big")


def serve(answer: Callable[[bytes, bytes], bytes], *, cpu_s: int, memory_bytes: int) -> None:
    """Answer until standard input ends. Each may take ``cpu_s`` processor seconds, and ``memory_bytes`` beyond what is in use
    now."""
    _bound_memory(memory_bytes)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (first := _part(source)) is not None:
        second = _part(source) or b""
        _bound_time(cpu_s)
        answered = answer(first, second)
        sink.write(len(answered).to_bytes(LENGTH, "big"))
        sink.write(answered)  # by itself: an answer may be large
        sink.flush()


def _part(source: BinaryIO) -> bytes | None:
    head = source.read(LENGTH)
    return source.read(unframed_length(head)) if len(head) == LENGTH else None


def _bound_memory(memory_bytes: int) -> None:
    """On top of what the interpreter has mapped by now."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[0]) if statm.exists() else 0
    limit = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_time(cpu_s: int) -> None:
    """From now on; the system ends us with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
