"""``ticketmail relay``: from a host's outbox or bridge to the broker, until it is told to stop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack

from ticketmail.app.facade import TicketMail
from ticketmail.app.observing import open_meter
from ticketmail.app.usecases.relay import Relay
from ticketmail.app.web.server import Health, serve
from ticketmail.app.wiring.roads import Relaying
from ticketmail.domain.errors import SettingsError


def run_relay(mail: TicketMail, stop: threading.Event) -> None:
    """Relay until ``stop`` is set; with ``[worker] http`` health and metrics are served beside it. Several may run.

    Raises SettingsError: mail does not go by an outbox or a bridge, or ``worker.http`` cannot be listened on.
    """
    if not mail.settings.by_broker:
        raise SettingsError(
            "There is nothing to relay: this host hands its mail over to a spool.", name="outbox", remedy="Set broker and outbox."
        )
    asyncio.run(_relay(mail, stop))


async def _relay(mail: TicketMail, stop: threading.Event) -> None:
    parts = mail.injector.get(Relaying)
    own, exposition = open_meter()
    relay, word, bind = parts.relay(parts.host.meter or own), parts.word(), mail.settings.worker.http
    async with AsyncExitStack() as stack:
        if bind:
            server = await serve(bind, lambda: _health(relay), metrics=exposition)
            stack.push_async_callback(server.aclose)
        running = [asyncio.to_thread(relay.run, stop), *([word.run(stop.is_set)] if word is not None else [])]
        try:
            await asyncio.gather(*running)
        finally:
            stop.set()


def _health(relay: Relay) -> Health:
    return Health(False, f"the broker or the database: {relay.trouble}") if relay.trouble else Health(True, "ready")
