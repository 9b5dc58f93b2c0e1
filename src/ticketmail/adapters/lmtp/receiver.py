"""A server for one hop: behind a real mail server, for known recipients alone. It relays nothing and bounces nothing.

Of several recipients each gets a transaction of its own: the second RCPT is answered 452, and the client comes back with it
(RFC 5321 section 4.5.3.1.10). So every answer to the dot is about one recipient, in LMTP and SMTP alike.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

from ticketmail.domain.errors import SpoolError

#: Takes one mail: recipient, sender ('' for the null one), content. Durable on return. Raises SpoolError kin: not taken.
Take = Callable[[str, str, bytes], Awaitable[None]]
#: Why a recipient is not ours, '' if it is.
Refusal = Callable[[str], str]

#: Longer lines than RFC 5321 allows come from programs that people use; a mail server in front has let them through.
LINE_BYTES: Final = 1 << 20
IDLE_S: Final = 300.0
#: A line end that is not CRLF may be read as the end of the mail by another server (CVE-2023-51764): refused.
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_TAKEN = "250 2.0.0 Taken"
_SICK = "451 4.3.0 Cannot be stored now, try again later"
_log = logging.getLogger("ticketmail.lmtp")


class _Handler:
    """aiosmtpd's hooks. Nothing here raises."""

    def __init__(self, take: Take, refusal: Refusal) -> None:
        self._take = take
        self._refusal = refusal

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        """Known recipients, one at a time."""
        why = self._refusal(address)
        if why:
            return f"550 5.1.1 {why}"
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """250 only after the commit."""
        if _BARE.search(envelope.original_content):
            return "550 5.6.11 A line ends with a bare CR or LF"
        try:
            await self._take(envelope.rcpt_tos[0], envelope.mail_from or "", envelope.original_content)
        except SpoolError as error:
            _log.warning("a mail stays with the mail server, the spool is sick: %s", error)
            return _SICK
        except Exception:
            _log.exception("a mail stays with the mail server")
            return _SICK
        return _TAKEN

    async def handle_VRFY(self, server: Any, session: Any, envelope: Any, address: str) -> str:  # noqa: N802
        """Nothing is told about who is there."""
        return "252 2.1.5 Send some mail"


class _Lmtp(LMTP):  # type: ignore[misc]
    line_length_limit = LINE_BYTES


class _Smtp(SMTP):  # type: ignore[misc]
    line_length_limit = LINE_BYTES


async def listen(
    where: str, protocol: str, *, take: Take, refusal: Refusal, hostname: str, max_size_bytes: int
) -> asyncio.AbstractServer:
    """Listen at ``host:port``; ``protocol`` is ``lmtp`` or ``smtp``. Raises OSError if the address is taken, ValueError if it is
    none."""
    host, _, port = where.rpartition(":")
    kind = _Lmtp if protocol == "lmtp" else _Smtp
    loop = asyncio.get_running_loop()

    def connected() -> Any:
        return kind(
            _Handler(take, refusal),
            data_size_limit=max_size_bytes,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="ticketmail",
            timeout=IDLE_S,
            loop=loop,
        )

    return await loop.create_server(connected, host.strip("[]") or "127.0.0.1", int(port))
