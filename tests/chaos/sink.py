"""A mail server as a process: slow to answer the dot, keeps a journal, and shows others how many bodies are on their way.

Run as a script with the arguments of :func:`sink_command`. The journal has a line per mail *before* its 250 leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import mmap
import os
import signal
import struct
import sys
from collections import Counter
from pathlib import Path

from ticketmail.testing.smtpd import Action, Features, Moment, ServerLimits, SmtpServer

_LIVE = struct.Struct("<qqq")
USER = "desk"


def sink_command(directory: Path, *, port: int, password: str, dot_delay_s: float) -> list[str]:
    """The command line; everything is kept in ``directory``."""
    words = ["--directory", str(directory), "--port", str(port), "--password", password, "--dot-delay", str(dot_delay_s)]
    return [sys.executable, __file__, *words]


class Live:
    """Three counters in a file that both sides map: bodies on their way, mails taken, connections ever."""

    def __init__(self, directory: Path) -> None:
        path = directory / "live"
        if not path.exists():
            path.write_bytes(b"\0" * _LIVE.size)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LIVE.size)

    @property
    def bodies(self) -> int:
        """Bodies whose first bytes have come and whose 250 has not left."""
        return int(_LIVE.unpack(self._map[:])[0])

    @property
    def taken(self) -> int:
        """Mails in the journal."""
        return int(_LIVE.unpack(self._map[:])[1])

    def tell(self, bodies: int, taken: int, connections: int) -> None:
        """For the server's side."""
        self._map[:] = _LIVE.pack(bodies, taken, connections)


class Journal:
    """What the sink took responsibility for, by (message id, recipient)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def copies(self) -> Counter[tuple[str, str]]:
        """How often each mail arrived at each recipient."""
        found: Counter[tuple[str, str]] = Counter()
        for line in self._path.read_text().splitlines() if self._path.exists() else []:
            entry = json.loads(line)
            found.update((entry["message_id"].strip("<>"), recipient.lower()) for recipient in entry["recipients"])
        return found


def journal_of(directory: Path) -> Journal:
    """The journal of a sink that keeps its things in ``directory``."""
    return Journal(directory / "journal.jsonl")


class _Watcher:
    """Marks bodies as they come and go, and slows the answer to the dot down."""

    def __init__(self, live: Live, delay_s: float) -> None:
        self.server: SmtpServer | None = None
        self._live, self._delay_s = live, delay_s
        self._bodies: set[int] = set()
        self._taken = live.taken

    def decide(self, moment: Moment) -> Action | None:
        """Never refuses."""
        if moment.point == "body":
            self._bodies.add(moment.connection)
        elif moment.point == "taken":
            self._taken += 1
        if moment.point in ("taken", "connect"):
            self._bodies.discard(moment.connection)
        self._live.tell(len(self._bodies), self._taken, self.server.connections_count if self.server else 0)
        return self._delay_s if moment.point == "dot" and self._delay_s else None


async def _serve(options: argparse.Namespace) -> None:
    directory = Path(options.directory)
    watcher = _Watcher(Live(directory), options.dot_delay)
    server = SmtpServer(
        port=options.port,
        features=Features(users={USER: options.password}),
        limits=ServerLimits(),
        journal=directory / "journal.jsonl",
        keep=False,
    )
    watcher.server = server
    server.decide(watcher.decide)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with server:
        print(f"listening on {server.port}", flush=True)
        await ended.wait()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--dot-delay", type=float, required=True)
    asyncio.run(_serve(parser.parse_args()))
    os._exit(0)


if __name__ == "__main__":
    main()
