"""The checking child: ``python -m ticketmail.adapters.dkim.caged CPU_SECONDS MEMORY_BYTES [NAMESERVER...]``. Frames in, out."""

from __future__ import annotations

import sys
from typing import Final

from pydantic import TypeAdapter

from ticketmail.adapters.mime.caged import bound_memory, bound_time, frame, part_of
from ticketmail.domain.received import Signature

#: Answers, as JSON and back.
SIGNATURES: Final = TypeAdapter(tuple[Signature, ...])


def main(cpu_s: int, memory_bytes: int, nameservers: list[str]) -> None:
    """Check mails from standard input until it ends: the value of From, then the mail."""
    from ticketmail.adapters.dkim.checking import Checking
    from ticketmail.adapters.dkim.lookup import Resolver

    checking = Checking(Resolver(nameservers))
    bound_memory(memory_bytes)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while True:
        author = part_of(source)
        if author is None:
            return
        raw = part_of(source) or b""
        bound_time(cpu_s)
        sink.write(frame(SIGNATURES.dump_json(tuple(checking.check(raw, author)))))
        sink.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
