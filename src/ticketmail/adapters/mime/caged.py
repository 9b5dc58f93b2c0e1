"""The child that reads mail: ``python -m ticketmail.adapters.mime.caged CPU_SECONDS MEMORY_BYTES``. Frames in, frames out.

A request is the tier's name and the mail, an answer the reading as JSON; the parent trusts nothing else of it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from pydantic import ConfigDict, TypeAdapter

from ticketmail.adapters.mime.answering import serve
from ticketmail.domain.inbound.mail import Tier
from ticketmail.domain.inbound.reading import Reading


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


def main(cpu_s: int, memory_bytes: int) -> None:
    """Read mails from standard input until it ends: the tier's name, then the mail."""
    from ticketmail.adapters.mime.understanding import understand

    understand(b"Subject: warm\r\nContent-Type: text/html\r\n\r\n<p>up")
    serve(lambda tier, raw: READING.dump(understand(raw, Tier(tier.decode()))), cpu_s=cpu_s, memory_bytes=memory_bytes)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
