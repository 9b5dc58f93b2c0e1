"""The worker's own health and metrics, as ``[worker] http`` asks for them."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ticketmail.app.logging import Redaction, secrets_of
from ticketmail.app.observing import Exposition, open_meter
from ticketmail.app.settings_limits import limits_by_account
from ticketmail.app.web.server import Health, HttpServer, parse_bind, serve
from ticketmail.domain.errors import SettingsError, TicketmailError
from ticketmail.domain.ports.reading import Reading, WorkerView

if TYPE_CHECKING:
    from ticketmail.app.facade import TicketMail

#: A worker that could not beat for so long starts no body (ARCHITECTURE section 9): it is not ready.
SILENT_US = 15 * 1_000_000
#: So many processes of one service find a port of their own behind the first one's.
MOST_PROCESSES = 16

_log = logging.getLogger("ticketmail.web")


async def serve_worker(mail: TicketMail, *, metrics: Exposition | None = None) -> Callable[[], Awaitable[None]]:
    """Serve ``mail.settings.worker.http`` until the returned function is called.

    ``metrics`` None: with the extra ``prometheus`` the gauges over the spool alone. Where several worker processes share the
    settings, the second listens on the next port, and so on: each counts for itself.

    Raises:
        SettingsError: ``worker.http`` cannot be understood or listened on.
    """
    if metrics is None:
        _, metrics = open_meter(mail.reading, lambda: limits_by_account(mail.settings))
    mask = Redaction(secrets_of(mail.settings)).text
    server = await _on_free_port(mail.settings.worker.http, lambda: worker_health(mail.reading, mask=mask), metrics)
    return server.aclose


def worker_health(
    reading: Reading, *, pid: int | None = None, host: str | None = None, mask: Callable[[str], str] = lambda text: text
) -> Health:
    """Ready: the spool answers, and the worker of this process beats. Blocks; never raises for what a spool does."""
    try:
        now_us, workers = reading.now_us(), reading.workers()
    except TicketmailError as error:
        return Health(False, f"the spool: {mask(str(error))}")
    here = (host or socket.gethostname(), pid or os.getpid())
    own = [one for one in workers if (one.host, one.pid) == here and one.retired_us is None]
    if not own:
        return Health(False, "this process has no worker registered")
    latest = max(own, key=lambda one: one.beat_us)
    return Health(True, "ready") if _beats(latest, now_us) else Health(False, f"no beat for {_silent_s(latest, now_us):.0f} s")


def _beats(worker: WorkerView, now_us: int) -> bool:
    return worker.alive and now_us - worker.beat_us < SILENT_US


def _silent_s(worker: WorkerView, now_us: int) -> float:
    return (now_us - worker.beat_us) / 1_000_000


async def _on_free_port(bind: str, health: Callable[[], Health], metrics: Exposition | None) -> HttpServer:
    host, port = parse_bind(bind)
    shown = f"[{host}]" if ":" in host else host
    for further in range(MOST_PROCESSES):
        try:
            server = await serve(f"{shown}:{port + further if port else 0}", health, metrics=metrics)
        except SettingsError as error:
            taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
            if not taken or further == MOST_PROCESSES - 1:
                raise
        else:
            if further:
                _log.warning("%s is taken; health and metrics of this process are on port %s", bind, server.port)
            return server
    raise AssertionError("unreachable")  # pragma: no cover
