"""Four host processes submit into one SQLite spool while a worker drains a backlog from it at full speed.

    python benchmarks/sqlite_hosts.py [--backlog 8000] [--mails 400] [--pace 0.02] [--hosts 4] [--most-ms 20]

Half of the hosts submit by themselves, half in a transaction of their own on the same file (BEGIN IMMEDIATE). Prints latency of
the calls, and fails if a call failed (SQLITE_BUSY included), if the backlog was drained before the hosts had ended (then nothing
was measured), or if the 99th percentile is above ``--most-ms``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos.harness import Child, Site, until
from chaos.submitter import read_record
from chaos.table import table

MODES = ("one", "joined")


def main() -> int:
    """Measure once; the exit code tells whether the aim was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlog", type=int, default=8000)
    parser.add_argument("--mails", type=int, default=400, help="by each host")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between a host's calls")
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--most-ms", type=float, default=20.0, help="the 99th percentile that is still well")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        Site(Path(directory) / "site", f"sqlite:///{directory}/spool.db", dot_delay_s=0.0) as site,
    ):
        site.hand_over(options.backlog, "backlog")
        names = [f"{MODES[number % 2]}{number}" for number in range(options.hosts)]
        hosts = [site.submitter(name.rstrip("0123456789"), name, options.mails, options.pace) for name in names]
        return _measure(site, hosts, names, options.most_ms)


def _measure(site: Site, hosts: list[Child], names: list[str], most_ms: float) -> int:
    worker = site.workers[0]
    worker.start()
    until(lambda: site.live.taken > 0, 30, "the worker sends")
    before, began = site.live.taken, time.monotonic()
    for host in hosts:
        host.start()
    codes = [host.wait(300) for host in hosts]
    seconds, sent = time.monotonic() - began, site.live.taken - before
    left = sum(count for state, count in site.counts().items() if state == "queued")
    worker.stop()
    calls = {mode: _calls(site, [name for name in names if name.startswith(mode)]) for mode in MODES}
    rows: dict[str, object] = {f"{mode}: calls, p50, p99, most": _line(found) for mode, found in calls.items() if found}
    rows |= {
        "beside": f"{sent / seconds:.0f} mails/s sent by the worker",
        "left in the backlog": left,
        "hosts that failed": sum(map(bool, codes)),
    }
    print(table(f"{len(hosts)} hosts on one SQLite file", rows))
    for host, code in zip(hosts, codes, strict=True):
        if code:
            print(host.said())
    worst = max(_percentile(found, 0.99) for found in calls.values() if found)
    wrong = [f"a host ended with {code}" for code in codes if code]
    wrong += ["the backlog was drained before the hosts had ended: nothing was measured; add --backlog"] * (not left)
    wrong += [f"99th percentile {worst:.1f} ms, the aim is {most_ms:g} (is the machine busy?)"] * (worst > most_ms)
    for one in wrong:
        print(f"NOT MET: {one}")
    return int(bool(wrong))


def _calls(site: Site, names: list[str]) -> list[float]:
    """Milliseconds of every call, sorted; each host's first pays for opening and is left out."""
    return sorted(line["seconds"] * 1e3 for name in names for line in read_record(site.record_of(name))[1:])


def _percentile(calls: list[float], part: float) -> float:
    return calls[min(len(calls) - 1, int(len(calls) * part))]


def _line(calls: list[float]) -> str:
    return f"{len(calls)}, {_percentile(calls, 0.5):.1f} ms, {_percentile(calls, 0.99):.1f} ms, {calls[-1]:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
