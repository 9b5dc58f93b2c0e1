"""ticketmail where its peers were measured: so many mails for a server that says 450 above its rate, by the peers' own server.

    TICKETMAIL_BENCH_PEERS=/path/of/their/harness python benchmarks/limits_peers.py [--mails 600] [--rate 50] [--model fixed]

One worker process on SQLite, told nothing. *used* is over the full windows in which the first 90 % were taken, as theirs is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from limits_judging import mails
from limits_site import free_port, until, worker_of, write_settings

from ticketmail import TicketMail

HARNESS = "TICKETMAIL_BENCH_PEERS"


def main() -> int:
    """Measure once. Exit code 1: not all was delivered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=600)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--model", choices=["fixed", "bucket"], default="fixed")
    parser.add_argument("--most", type=float, default=300.0, help="seconds to wait")
    options = parser.parse_args()
    sink = Path(os.environ.get(HARNESS, "")) / "limit_sink.py"
    if not sink.is_file():
        parser.error(f"set {HARNESS} to the folder that has limit_sink.py")
    with tempfile.TemporaryDirectory() as directory:
        stats = _run(sink, Path(directory), options)
    taken, refused = stats["accepted"], stats["refused"]
    used = _used(stats["per_window"], options)
    print(f"delivered {taken} of {options.mails}, used {used:.0%}, refused per 100 delivered {100 * refused / max(1, taken):.0f}")
    return int(taken != options.mails)


def _run(sink: Path, directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    port, stats = free_port(), directory / "sink.json"
    command = [sys.executable, str(sink), f"--port={port}", f"--rate={options.rate}", f"--model={options.model}"]
    with subprocess.Popen([*command, "--latency=0.002", f"--stats={stats}"]) as server:
        try:
            until(stats.exists, 15, "their server listens")
            settings = write_settings(directory, f"sqlite:///{directory}/spool.db", port)
            with TicketMail(settings=settings) as mail:
                mail.submit_many(mails(range(options.mails)))
            worker = worker_of(settings, directory / "worker.log")
            worker.start()
            end_s = time.monotonic() + options.most
            while time.monotonic() < end_s and json.loads(stats.read_text())["accepted"] < options.mails:
                time.sleep(0.1)
            worker.stop()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    return dict(json.loads(stats.read_text()))


def _used(per_window: dict[str, int], options: argparse.Namespace) -> float:
    """The first window is cut off, and what comes after 90 % of the mails."""
    counts = {int(window): count for window, count in per_window.items()}
    first, seen = min(counts), 0
    for window in range(first, max(counts) + 1):
        seen += counts.get(window, 0)
        if seen >= 0.9 * options.mails:
            whole = range(first + 1, window)
            return sum(counts.get(one, 0) for one in whole) / (options.rate * len(whole)) if whole else 0.0
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
