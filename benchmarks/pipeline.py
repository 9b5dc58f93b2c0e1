"""How many ordinary mails a second go the whole way: stored raw, leased, read in the child process, threaded, settled.

    python benchmarks/pipeline.py [--mails 1000] [--rounds 3] [--spool sqlite:///FILE] [--least 200] [FOLDER]

What counts is CPU time of both processes, child included, so that the figure is that of one core whatever else the machine does.
The mails are those of ``reading.py``, each with an id of its own; every fourth answers a mail of ours by its token. Fails below
``--least``. Waiting for the disk is not CPU time: the time by the clock stands beside it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from reading import folder, made

from ticketmail import Message, TicketMail


def main() -> int:
    """Measure; the exit code tells whether the aim was met."""
    options = parse_options()
    best = 0.0
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as place:
            rate, by_clock = measured(options, options.spool or f"sqlite:///{place}/spool.db")
        print(f"{rate:6.0f} mails/s of CPU time of one core, {by_clock:6.0f} by the clock")
        best = max(best, rate)
    print(f"best of {options.rounds}: {best:.0f} mails/s of one core, child process included")
    return 0 if best >= options.least else 1


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spool", default="", help="a database that is made anew; default: a file of SQLite each round")
    parser.add_argument("--least", type=float, default=200.0, help="mails a second that are still well")
    return parser.parse_args()


def measured(options: argparse.Namespace, spool: str) -> tuple[float, float]:
    """Mails a second of CPU time of both processes, and by the clock."""
    settings = {"spool": spool, "accounts": {"a": "null://"}, "mailboxes": {"help": {"addresses": ["help@example.com"]}}}
    with TicketMail(settings=settings) as mail:
        mail.inbound.interpret.prepare()
        for number, content in enumerate(mails(options, mail)):
            mail.inbound.receive("help", content, source=str(number))
        began, clock = cpu_s(), time.monotonic()
        done = 0
        while (settled := mail.inbound.settle(32)).seen:
            done += settled.done
        clock_s = time.monotonic() - clock
    # Children are counted once they have ended: the reader ends with the host.
    spent_s = cpu_s() - began
    if done != options.mails:
        raise SystemExit(f"{done} events of {options.mails} mails")
    return done / spent_s, done / clock_s


def mails(options: argparse.Namespace, mail: TicketMail) -> list[bytes]:
    """Ordinary mails, none like another."""
    plain = folder(options.folder) if options.folder else made(options.mails)
    submit = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
    sent = mail.submit(submit, ticket="T1")
    found = []
    for number in range(options.mails):
        body = plain[number % len(plain)].replace(b"<1@example.com>", b"<%d@example.net>" % number, 1)
        body = body.replace(b"ann@example.net", b"ann%d@example.net" % number)
        answer = f"In-Reply-To: {sent.message_id}\r\n".encode() if number % 4 == 0 else b""
        found.append(b"X-Number: %d\r\n" % number + answer + body)
    return found


def cpu_s() -> float:
    """Of this process and its children that have ended."""
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


if __name__ == "__main__":
    sys.exit(main())
