"""A greylisting policy service for Postfix (SMTPD_POLICY_README): who writes to someone for the first time comes again later.

Run as a script: ``greylist.py PORT WAIT_SECONDS``. Remembers (client, sender, recipient) in memory.
"""

from __future__ import annotations

import math
import socketserver
import sys
import time
from typing import ClassVar


class Policy(socketserver.StreamRequestHandler):
    """One connection of an smtpd: requests are ``name=value`` lines up to an empty one."""

    wait_s = 300.0
    first_seen: ClassVar[dict[tuple[str, ...], float]] = {}

    def handle(self) -> None:
        """Answer until the client goes."""
        asked: dict[str, str] = {}
        for line in self.rfile:
            name, equals, value = line.decode("utf-8", "replace").rstrip("\n").partition("=")
            if equals:
                asked[name] = value
                continue
            self.wfile.write(f"action={self.action(asked)}\n\n".encode())
            asked = {}

    def action(self, asked: dict[str, str]) -> str:
        """What Postfix is to do."""
        triple = tuple(asked.get(name, "").lower() for name in ("client_address", "sender", "recipient"))
        now = time.monotonic()
        left = self.first_seen.setdefault(triple, now) + self.wait_s - now
        return f"defer_if_permit Greylisted for {math.ceil(left)} seconds" if left > 0 else "dunno"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Policy.wait_s = float(sys.argv[2])
    with _Server(("127.0.0.1", int(sys.argv[1])), Policy) as server:
        server.serve_forever()
