"""The worker's doors for a mail server: LMTP and SMTP, each recipient led to its mailbox."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence

from ticketmail.app.plugins import missing_extra
from ticketmail.app.settings import Settings
from ticketmail.app.usecases.ingest import Inbound
from ticketmail.domain.inbound.participants import bare_key
from ticketmail.domain.ports.timing import Threads

#: How often a door that another worker holds is tried again (seconds).
AGAIN_S = 10.0
_log = logging.getLogger("ticketmail.lmtp")


class Doors:
    """``[receiver]``: opened by whichever worker is first; another one takes over when it ends."""

    def __init__(self, live: Callable[[], Settings], inbound: Inbound, threads: Threads) -> None:
        self._live = live
        self._inbound = inbound
        self._threads = threads
        self._seen: Settings | None = None
        self._mailboxes: Mapping[str, str] = {}
        self._open: dict[str, asyncio.AbstractServer] = {}
        self._told: set[str] = set()

    async def turn(self) -> None:
        """Open what is wanted and not open."""
        for protocol, where in (("lmtp", self._live().receiver.lmtp), ("smtp", self._live().receiver.smtp)):
            if where and protocol not in self._open:
                await self._try(protocol, where)

    async def close(self) -> None:
        """Let nobody in any more."""
        servers, self._open = self._open, {}
        for server in servers.values():
            server.close()

    async def _try(self, protocol: str, where: str) -> None:
        try:
            from ticketmail.adapters.lmtp import listen
        except ImportError as error:
            raise missing_extra(error, protocol, name=f"receiver.{protocol}") from error
        size = self._live().receiver.max_size
        try:
            self._open[protocol] = await listen(
                where, protocol, take=self._take, place=self._mailbox, hostname=socket.gethostname(), max_size_bytes=size
            )
        except OSError as error:
            if protocol not in self._told:
                _log.warning("%s cannot listen at %s, trying again: %s", protocol, where, error)
            self._told.add(protocol)
            return
        _log.info("%s listens at %s", protocol, where)

    def _mailbox(self, address: str) -> str | None:
        settings = self._live()
        if settings is not self._seen:
            self._seen, self._mailboxes = settings, mailboxes_of(settings)
        key = address.lower()
        return self._mailboxes.get(bare_key(key)) or self._mailboxes.get(key.rpartition("@")[2])

    async def _take(self, recipients: Sequence[str], sender: str, content: bytes) -> None:
        wanted: dict[str, list[str]] = {}
        for one in recipients:
            mailbox = self._mailbox(one)
            assert mailbox is not None
            wanted.setdefault(mailbox, []).append(one)
        await self._threads.run(lambda: self._inbound.receive_together(wanted, content, envelope_from=sender))


def mailboxes_of(settings: Settings) -> Mapping[str, str]:
    """Address or domain -> mailbox."""
    return {address.lower(): name for name, box in settings.mailboxes.items() for address in box.addresses}
