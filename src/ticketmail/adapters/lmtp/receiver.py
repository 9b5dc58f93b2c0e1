"""A server for one hop: behind a real mail server, for known recipients alone. It relays nothing and bounces nothing.

LMTP answers the dot once for each recipient (RFC 2033 section 4.2): each mailbox is stored by itself, so one that cannot be
stored keeps no other waiting. SMTP has one answer for all of them, so all are stored in one transaction or none.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

from ticketmail.domain.errors import SpoolError

#: Takes one mail: recipients, sender ('' for the null one), content. Durable for all of them on return. Raises SpoolError kin:
#: taken for none.
Take = Callable[[Sequence[str], str, bytes], Awaitable[None]]
#: The mailbox of a recipient, None for one that is not ours.
Place = Callable[[str], str | None]

#: Longer lines than RFC 5321 allows come from programs that people use; a mail server in front has let them through.
LINE_BYTES: Final = 1 << 20
IDLE_S: Final = 300.0
#: RFC 5321 section 4.5.3.1.8 wants 100 at least; the client comes back with the rest (section 4.5.3.1.10).
RECIPIENTS: Final = 200
#: A line end that is not CRLF may be read as the end of the mail by another server (CVE-2023-51764): refused.
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_TAKEN = "250 2.0.0 Taken"
_SICK = "451 4.3.0 Cannot be stored now, try again later"
_log = logging.getLogger("ticketmail.lmtp")


class _Handler:
    """aiosmtpd's hooks. Nothing here raises. ``each``: the dot is answered once for each recipient."""

    def __init__(self, take: Take, place: Place, *, each: bool) -> None:
        self._take = take
        self._place = place
        self._each = each

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        """Known recipients alone."""
        if self._place(address) is None:
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients, send the rest by itself"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """250 only after the commit."""
        recipients = list(envelope.rcpt_tos)
        if not self._each:
            return await self._stored(recipients, envelope)
        places = {one: self._place(one) for one in recipients}
        answers: dict[str | None, str] = {}
        for place in dict.fromkeys(places.values()):
            answers[place] = await self._stored([one for one in places if places[one] == place], envelope)
        return "\r\n".join(answers[places[one]] for one in recipients)

    async def _stored(self, recipients: Sequence[str], envelope: Any) -> str:
        if _BARE.search(envelope.original_content):
            return "550 5.6.11 A line ends with a bare CR or LF"
        try:
            await self._take(recipients, envelope.mail_from or "", envelope.original_content)
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
    """aiosmtpd knows LHLO, and answers the dot as SMTP does."""

    line_length_limit = LINE_BYTES
    _recipients = 0

    async def push(self, status: str) -> None:
        """What aiosmtpd says to the dot by itself (too large, line too long) is said to each recipient, too."""
        recipients, self._recipients = self._recipients, 0
        if status.startswith("354"):
            self._recipients = len(self.envelope.rcpt_tos)
        elif recipients and "\r\n" not in status:
            status = "\r\n".join([status] * recipients)
        await super().push(status)


class _Smtp(SMTP):  # type: ignore[misc]
    line_length_limit = LINE_BYTES


async def listen(
    where: str, protocol: str, *, take: Take, place: Place, hostname: str, max_size_bytes: int
) -> asyncio.AbstractServer:
    """Listen at ``host:port``; ``protocol`` is ``lmtp`` or ``smtp``. Raises OSError if the address is taken, ValueError if it is
    none."""
    host, _, port = where.rpartition(":")
    kind = _Lmtp if protocol == "lmtp" else _Smtp
    loop = asyncio.get_running_loop()

    def connected() -> Any:
        return kind(
            _Handler(take, place, each=protocol == "lmtp"),
            data_size_limit=max_size_bytes,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="ticketmail",
            timeout=IDLE_S,
            loop=loop,
        )

    return await loop.create_server(connected, host.strip("[]") or "127.0.0.1", int(port))
