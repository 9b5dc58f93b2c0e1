"""A session that asks and sends nothing: greeting, certificate, envelopes that are taken back."""

from __future__ import annotations

import ssl
from typing import Any

from ticketmail.adapters.smtp.errors import GatewayUnusable
from ticketmail.adapters.smtp.replies import refused
from ticketmail.adapters.smtp.session import Session
from ticketmail.adapters.smtp.target import Target
from ticketmail.adapters.smtp.wire import WireError
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused
from ticketmail.domain.ports.proving import Certificate, Greeting


class SmtpProof:
    """See :class:`ticketmail.domain.ports.proving.ProofSession`."""

    def __init__(self, session: Session, target: Target) -> None:
        self._wire = session.wire
        self._target = target
        self.greeting = Greeting(
            server=str(target),
            banner=session.banner,
            certificate=_certificate(session.wire.about("ssl_object")),
            login=target.username if target.logs_in else "",
            extensions=session.offers.names,
            size_limit_bytes=session.offers.size_limit_bytes or None,
        )

    async def envelope(self, return_path: str, recipient: str = "") -> Refused | None:
        try:
            found = await self._ask(f"MAIL FROM:<{return_path}>", Phase.MAIL)
            if found is None and recipient:
                found = await self._ask(f"RCPT TO:<{recipient}>", Phase.RCPT)
            await self._ask("RSET", Phase.MAIL)
        except WireError as error:
            raise GatewayUnusable(NotReached(str(error), Phase.MAIL)) from None
        return found

    def close(self) -> None:
        self._wire.quit()
        self._wire.abort()  # a goodbye of TLS may outlive the loop

    async def _ask(self, line: str, phase: Phase) -> Refused | None:
        reply = await self._wire.ask(line.encode(), self._target.timeouts_s[phase])
        return None if reply.code // 100 == 2 else refused(reply, phase)


def _certificate(tls: Any) -> Certificate | None:
    if tls is None:
        return None
    shown: dict[str, Any] = tls.getpeercert() or {}
    issuer = dict(pair for part in shown.get("issuer", ()) for pair in part)
    until = shown.get("notAfter")
    return Certificate(
        version=tls.version() or "",
        names=tuple(name for _, name in shown.get("subjectAltName", ())),
        issuer=issuer.get("organizationName") or issuer.get("commonName") or "",
        until_us=int(ssl.cert_time_to_seconds(until)) * 1_000_000 if until else None,
    )
