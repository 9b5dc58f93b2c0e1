"""The child that reads mail: ``python -m ticketmail.adapters.mime.caged CPU_SECONDS MEMORY_BYTES``. Frames in, frames out.

A request is the tier's name and the mail, an answer the reading as JSON; the parent trusts nothing else of it.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import ConfigDict, TypeAdapter

from ticketmail.domain.inbound.mail import Tier
from ticketmail.domain.inbound.reading import Reading

_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one mail may take: processor seconds, seconds by the clock, bytes of memory beyond what a reader needs anyway."""

    cpu_s: int = 30
    wall_s: float = 60.0
    memory_bytes: int = 512 * 1024 * 1024

    def argv(self) -> list[str]:
        """As the child takes them."""
        return [str(self.cpu_s), str(self.memory_bytes)]


class _Readings:
    """Readings as JSON and back."""

    def __init__(self) -> None:
        config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
        self._adapter = TypeAdapter(list[Reading], config=config)

    def dump(self, reading: Reading) -> bytes:
        return self._adapter.dump_json([reading])

    def validate_json(self, data: bytes) -> Reading:
        """Raises ``pydantic.ValidationError``."""
        return self._adapter.validate_json(data)[0]


READING = _Readings()


def frame(*parts: bytes) -> bytes:
    """Each part with its length before it."""
    return b"".join(len(part).to_bytes(_LENGTH, "big") + part for part in parts)


def unframed_length(head: bytes) -> int:
    """The length that stands before a part."""
    return int.from_bytes(head, "big")


def main(cpu_s: int, memory_bytes: int) -> None:
    """Read mails from standard input until it ends."""
    from ticketmail.adapters.mime.understanding import understand

    understand(b"Subject: warm\r\nContent-Type: text/html\r\n\r\n<p>up")
    bound_memory(memory_bytes)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while True:
        tier = part_of(source)
        if tier is None:
            return
        raw = part_of(source) or b""
        bound_time(cpu_s)
        sink.write(frame(READING.dump(understand(raw, Tier(tier.decode())))))
        sink.flush()


def part_of(source: BinaryIO) -> bytes | None:
    """The next part, None at the end."""
    head = source.read(_LENGTH)
    return source.read(unframed_length(head)) if len(head) == _LENGTH else None


def bound_memory(memory_bytes: int) -> None:
    """On top of what the interpreter has mapped by now."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[0]) if statm.exists() else 0
    limit = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def bound_time(cpu_s: int) -> None:
    """From now on; the system ends us with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
