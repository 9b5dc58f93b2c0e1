"""The SMTP gateway: a pool of sessions, one transaction per mail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace

from ticketmail.adapters.smtp.envelope import plan
from ticketmail.adapters.smtp.errors import GatewayUnusable, SessionFailed, translate
from ticketmail.adapters.smtp.pool import Lease, Pool, PoolLimits
from ticketmail.adapters.smtp.proving import SmtpProof
from ticketmail.adapters.smtp.session import Handshake, Session
from ticketmail.adapters.smtp.target import Target
from ticketmail.adapters.smtp.transaction import Transaction
from ticketmail.adapters.smtp.wire import WireError
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused
from ticketmail.domain.ports.sending import GatewayCapabilities, GatewayOptions, OnBody, Outgoing

_OAUTH_REFUSED = (334, 535)


class _Stale(Exception):
    """A reused session turned out to be closed before it said anything: a new one may take the mail."""


class SmtpGateway:
    """See :class:`ticketmail.domain.ports.sending.Gateway`. Belongs to one event loop; opens nothing before the first send.

    ``auth`` oauth2: ``options.token(False)`` is asked for each new session; after a 535 a new session is opened with
    ``options.token(True)``, once.
    """

    def __init__(self, target: Target, options: GatewayOptions) -> None:
        self._target = target
        self._options = options
        self._context: ssl.SSLContext | None = None
        self._size_limit_bytes: int | None = None
        self._pool = Pool(
            self._open,
            PoolLimits(
                connections=options.connections,
                mails_per_connection=options.messages_per_connection,
                seconds_per_connection=options.seconds_per_connection,
                idle_s=options.idle_s,
            ),
        )

    def __repr__(self) -> str:
        return f"SmtpGateway({self._target})"

    @property
    def capabilities(self) -> GatewayCapabilities:
        """``max_size_bytes`` is what the server's last EHLO said (SIZE); None before the first session."""
        return GatewayCapabilities(max_size_bytes=self._size_limit_bytes, keeps_connections=True)

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        try:
            try:
                return await self._send_once(mail, on_body, fresh=False)
            except _Stale:
                return await self._send_once(mail, on_body, fresh=True)
        except SessionFailed as error:
            return [error.failure] * len(mail.recipients)

    async def check(self) -> str:
        """Opens a session of its own (the pool's cap holds), says NOOP. Raises GatewayUnusable."""
        try:
            async with self._pool.lend(fresh=True) as lease:
                answer = await lease.session.wire.ask(b"NOOP", self._target.timeouts_s[Phase.MAIL])
                if answer.code // 100 != 2:
                    lease.broken = True
                    raise GatewayUnusable(Refused(answer, Phase.MAIL))
                return self._description(lease.session)
        except SessionFailed as error:
            raise GatewayUnusable(error.failure) from None
        except WireError as error:
            raise GatewayUnusable(NotReached(str(error), Phase.MAIL)) from None

    async def prove(self) -> SmtpProof:
        """See :class:`ticketmail.domain.ports.proving.Provable`."""
        try:
            return SmtpProof(await self._open(), self._target)
        except SessionFailed as error:
            raise GatewayUnusable(error.failure) from None

    def keep(self, most: int) -> int:
        return self._pool.keep(most)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _send_once(self, mail: Outgoing, on_body: OnBody, *, fresh: bool) -> Sequence[Outcome]:
        async with self._pool.lend(fresh=fresh) as lease:
            session = lease.session
            fitted = plan(mail, session.offers, dsn=self._options.dsn)
            transaction = Transaction(session.wire, fitted, self._target.timeouts_s, on_body)
            outcomes = await transaction.run(pipelined=self._options.pipelining and session.offers.pipelining)
            self._note(lease, transaction)
            self._learn(lease, outcomes)
            if lease.reused and transaction.stale:
                raise _Stale
            return outcomes

    def _note(self, lease: Lease, transaction: Transaction) -> None:
        lease.session.mails += 1
        lease.session.dirty = not transaction.clean
        lease.broken = transaction.closing

    def _learn(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        """A server that takes so many mails on one connection has said so: from now on they end in time."""
        taken, limits = lease.session.mails - 1, self._pool.limits
        spent = any(isinstance(one, Refused) and classify(one).cause == "connection-spent" for one in outcomes)
        if spent and 0 < taken < limits.mails_per_connection:
            self._pool.limits = replace(limits, mails_per_connection=taken)

    async def _open(self) -> Session:
        try:
            return await self._handshake(force_token=False)
        except SessionFailed as error:
            if self._options.auth != "oauth2" or not _token_refused(error.failure):
                raise
            return await self._handshake(force_token=True)

    async def _handshake(self, *, force_token: bool) -> Session:
        try:
            context = await self._tls_context()
        except (OSError, ValueError) as error:
            detail = translate(error, Phase.TLS)
            raise SessionFailed(NotReached(f"ca_file {self._target.ca_file!r}: {_words(detail)}", Phase.TLS, tls=True)) from None
        session = await Handshake(self._target, context, token=self._options.token, force_token=force_token).run()
        self._size_limit_bytes = session.offers.size_limit_bytes or None
        return session

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self._context is None and self._target.tls != "none":
            # Reads the system's certificates: some 20 ms, so not on the event loop.
            self._context = await asyncio.to_thread(ssl.create_default_context, cafile=self._target.ca_file or None)
        return self._context

    def _description(self, session: Session) -> str:
        tls = "with TLS" if session.tls else "without TLS"
        login = "logged in" if self._target.logs_in else "no login"
        return f"{self._target} answers, {tls}, {login}; it offers {', '.join(session.offers.names) or 'no extensions'}."


def _token_refused(failure: Refused | NotReached) -> bool:
    return isinstance(failure, Refused) and failure.phase is Phase.AUTH and failure.reply.code in _OAUTH_REFUSED


def _words(failure: Refused | NotReached) -> str:
    return failure.error if isinstance(failure, NotReached) else str(failure.reply)
