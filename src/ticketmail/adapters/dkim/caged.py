"""The checking child: ``python -m ticketmail.adapters.dkim.caged CPU_SECONDS MEMORY_BYTES [NAMESERVER...]``.

A request is the value of From and the mail, an answer what its signatures are worth, as JSON.
"""

from __future__ import annotations

import sys
from typing import Final

from pydantic import TypeAdapter

from ticketmail.adapters.mime.answering import serve
from ticketmail.domain.received import Signature

#: Answers, as JSON and back.
SIGNATURES: Final = TypeAdapter(tuple[Signature, ...])


def main(cpu_s: int, memory_bytes: int, nameservers: list[str]) -> None:
    """Check mails from standard input until it ends."""
    from ticketmail.adapters.dkim.checking import Checking
    from ticketmail.adapters.dkim.lookup import Resolver

    checking = Checking(Resolver(nameservers))
    serve(lambda author, raw: SIGNATURES.dump_json(tuple(checking.check(raw, author))), cpu_s=cpu_s, memory_bytes=memory_bytes)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
