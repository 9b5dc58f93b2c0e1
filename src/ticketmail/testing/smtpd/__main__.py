"""The local SMTP server as a process of its own, with a file of statistics."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from ticketmail.testing.smtpd.features import Features
from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.server import SmtpServer

_TOLD_EVERY_S = 0.2


def main(argv: list[str] | None = None) -> None:
    """Prints ``listening on HOST:PORT``; ends on SIGTERM or SIGINT. SIGUSR1 halves the limits, SIGUSR2 doubles them."""
    asyncio.run(_run(_parser().parse_args(argv)))


def _parser() -> argparse.ArgumentParser:
    limits = ServerLimits()
    parser = argparse.ArgumentParser(prog="python -m ticketmail.testing.smtpd", description="A local SMTP server with limits.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--rate", type=float, help="mails per window")
    parser.add_argument("--window", type=float, default=1.0, help="seconds")
    parser.add_argument("--burst", type=float, help="mails at once (bucket); default one window's worth")
    parser.add_argument("--kind", choices=["bucket", "fixed", "grid"], default="bucket")
    parser.add_argument("--limit-at", choices=["connect", "mail", "rcpt", "data", "dot"], default="mail")
    parser.add_argument("--reply", default=limits.reply, help="to mails beyond the rate")
    parser.add_argument(
        "--excess", choices=["refuse", "delay"], default="refuse", help="delay: answered when their turn has come"
    )
    parser.add_argument("--shut", action="store_true", help="beyond the rate connections are refused, too")
    parser.add_argument("--daily", type=int, help="mails per day")
    parser.add_argument("--day", type=float, default=limits.day_s, help="seconds of a day, from the first mail on")
    parser.add_argument("--daily-reply", default=limits.daily_reply)
    parser.add_argument("--connections", type=int, help="at once")
    parser.add_argument("--connections-at", choices=["connect", "mail", "dot"], default="connect")
    parser.add_argument("--connections-reply", default=limits.connections_reply)
    parser.add_argument("--messages-per-connection", type=int)
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD", help="a login is then demanded")
    parser.add_argument("--per-login", action="store_true", help="each login has the limits for itself")
    parser.add_argument(
        "--change", action="append", default=[], metavar="SECONDS:FACTOR", help="of the limits, after the first mail"
    )
    parser.add_argument("--neighbour", type=float, default=0.0, help="part of the rate that another client asks for")
    parser.add_argument("--neighbour-cycle", type=float, default=0.0, help="seconds; it then comes in bursts")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--dot-delay", type=float, default=0.0, help="seconds between the final dot and its 250")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--journal", help="file that gets a JSON line per mail before its 250")
    parser.add_argument("--stats", help="JSON file, written anew five times a second: what was taken and refused in each second")
    return parser


def _limits(options: argparse.Namespace) -> ServerLimits:
    changes = [text.partition(":")[::2] for text in options.change]
    return ServerLimits(
        rate=options.rate,
        window_s=options.window,
        burst=options.burst,
        kind=options.kind,
        at=options.limit_at,
        reply=options.reply,
        excess=options.excess,
        shut=options.shut,
        daily=options.daily,
        day_s=options.day,
        daily_reply=options.daily_reply,
        connections=options.connections,
        connections_at=options.connections_at,
        connections_reply=options.connections_reply,
        mails_per_connection=options.messages_per_connection,
        per_login=options.per_login,
        changes=tuple((float(at_s), float(factor)) for at_s, factor in changes),
        neighbour=options.neighbour,
        neighbour_cycle_s=options.neighbour_cycle,
    )


async def _run(options: argparse.Namespace) -> None:
    users = dict(text.partition(":")[::2] for text in options.user)
    server = SmtpServer(
        host=options.host,
        port=options.port,
        limits=_limits(options),
        latency_s=options.latency,
        features=Features(pipelining=not options.no_pipelining, users=users),
        journal=options.journal,
        keep=False,
    )
    if options.dot_delay:
        server.delay("dot", options.dot_delay)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    dial = _Dial(server)
    loop.add_signal_handler(signal.SIGUSR1, dial.turn, 0.5)
    loop.add_signal_handler(signal.SIGUSR2, dial.turn, 2.0)
    async with server:
        print(f"listening on {server.host}:{server.port}", flush=True)
        await _tell(server, Path(options.stats) if options.stats else None, ended)
    print(f"taken {server.taken_count}, refused {server.refused_count}, connections {server.connections_count}", flush=True)


class _Dial:
    """The limits, turned by signals."""

    def __init__(self, server: SmtpServer) -> None:
        self._server, self._factor = server, 1.0

    def turn(self, by: float) -> None:
        self._factor *= by
        self._server.change_limits(self._factor)


async def _tell(server: SmtpServer, path: Path | None, ended: asyncio.Event) -> None:
    """Until the end, keep the file of statistics fresh."""
    while not ended.is_set():
        try:
            async with asyncio.timeout(_TOLD_EVERY_S if path else None):
                await ended.wait()
        except TimeoutError:
            pass
        if path is not None:
            _write(server, path)


def _write(server: SmtpServer, path: Path) -> None:
    for meter in server.meters.values():
        meter.advance()
    content = {
        "taken": server.taken_count,
        "refused": server.refused_count,
        "connections": server.connections_count,
        "connections_peak": server.connections_peak,
        "logins": {login: meter.tally.to_json() for login, meter in server.meters.items()},
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


if __name__ == "__main__":
    main()
