"""What three connections bear: bare clients, each with one mail after another and nothing to remember, against the kit's server.

    python benchmarks/limits_bare.py [--rates 30 200] [--seconds 10]

The most that anybody could use of the scenario *3 connections*, on this machine: ``smtplib``, no spool, no limits to learn.
"""

from __future__ import annotations

import argparse
import smtplib
import time
from concurrent.futures import ThreadPoolExecutor

from ticketmail.testing.smtpd import server_process
from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.process import arguments

_CONNECTIONS = 3
_MAIL = "From: desk@example.com\r\nTo: c0@example.net\r\nSubject: Note\r\n\r\nOn its way.\r\n"


def main() -> None:
    """A line for each rate that the connections would bear if answers took no time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", nargs="*", type=float, default=[30, 200], help="mails per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for rate in options.rates:
        per_s = _taken(_CONNECTIONS / rate, options.seconds) / options.seconds
        print(f"3 connections {rate:g}/s: {per_s:.1f} a second, {per_s / rate:.1%}", flush=True)


def _taken(dot_delay_s: float, seconds: float) -> int:
    server = server_process(*arguments(ServerLimits(connections=_CONNECTIONS)), f"--dot-delay={dot_delay_s}")
    with server as port, ThreadPoolExecutor(_CONNECTIONS) as pool:
        return sum(pool.map(_client, [port] * _CONNECTIONS, [time.monotonic() + seconds] * _CONNECTIONS))


def _client(port: int, until_s: float) -> int:
    taken = 0
    with smtplib.SMTP("127.0.0.1", port) as connection:
        while time.monotonic() < until_s:
            connection.sendmail("desk@example.com", ["c0@example.net"], _MAIL)
            taken += 1
    return taken


if __name__ == "__main__":
    main()
