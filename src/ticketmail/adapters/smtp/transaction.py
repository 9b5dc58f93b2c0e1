"""One mail over one session: envelope, ``on_body``, body and final dot told apart; only after the dot may a mail be taken unseen.

MAIL RCPT… DATA ──► accepted known ──► on_body (the 354 may arrive meanwhile) ──► 354 read ──► body ──► dot ──► reply
└─────────── NotReached / Refused: certainly not taken ──────────────────────────────────────┘      └─ Unclear ─┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ticketmail.adapters.smtp.envelope import Plan
from ticketmail.adapters.smtp.replies import refused, remote_id_of
from ticketmail.adapters.smtp.wire import Lost, OutOfStep, Wire, WireError
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Reply, Taken, Unclear
from ticketmail.domain.ports.sending import OnBody

_CHUNK = 256 * 1024  #: bytes of the body per write; the last chunk travels with the dot
_CLOSING = 421  #: RFC 5321 section 3.8: the server closes the channel after it, whatever was asked


class Transaction:
    """Runs once. ``clean``: the session ended where a next mail may begin. ``closing``: it is of no further use.

    ``phase`` is how far it came.
    """

    def __init__(self, wire: Wire, plan: Plan, timeouts_s: Mapping[Phase, float], on_body: OnBody) -> None:
        self.phase = Phase.MAIL
        self.clean = False
        self.closing = False
        self.stale = False  #: the connection was gone before the server said a word: it had been closed while idle
        self._heard = False
        self._wire = wire
        self._plan = plan
        self._timeouts = timeouts_s
        self._on_body = on_body
        self._outcomes: dict[int, Outcome] = dict(plan.refused)

    async def run(self, *, pipelined: bool) -> Sequence[Outcome]:
        """One outcome per recipient. Raises only what ``on_body`` raises (and cancellation): then abort the wire."""
        if not self._plan.recipients:
            self.clean = True
            return self._in_order()
        try:
            if pipelined:
                await self._pipelined()
            else:
                await self._step_by_step()
        except WireError as error:
            self.closing = True
            self.stale = isinstance(error, Lost) and not self._heard
            self._settle_rest(self._cut(error))
        return self._in_order()

    # Envelope

    async def _pipelined(self) -> None:
        """All commands in one write (RFC 2920 section 3.1), then all their replies."""
        lines = [self._plan.mail, *(line for _, line in self._plan.recipients), b"DATA", b""]
        self._wire.write(b"\r\n".join(lines))
        mail = await self._reply(Phase.MAIL)
        self._judge_mail(mail)
        for index, _ in self._plan.recipients:
            if self.closing:
                return
            self._judge_recipient(index, await self._reply(Phase.RCPT))
        if self.closing:
            return
        accepted = self._undecided()
        if accepted:
            await self._data(accepted)
        else:
            await self._decline()

    async def _step_by_step(self) -> None:
        self._wire.write(self._plan.mail + b"\r\n")
        self._judge_mail(await self._reply(Phase.MAIL))
        for index, line in self._plan.recipients:
            if self.closing or not self._undecided():
                break
            self._wire.write(line + b"\r\n")
            self._judge_recipient(index, await self._reply(Phase.RCPT))
        accepted = self._undecided()
        if accepted and not self.closing:
            self._wire.write(b"DATA\r\n")
            await self._data(accepted)

    def _judge_mail(self, reply: Reply) -> None:
        if not _positive(reply):
            self._settle_rest(refused(reply, Phase.MAIL))

    def _judge_recipient(self, index: int, reply: Reply) -> None:
        if reply.code == _CLOSING:
            self._settle_rest(refused(reply, Phase.RCPT))
        elif not _positive(reply):
            self._outcomes.setdefault(index, refused(reply, Phase.RCPT))
        elif index in self._outcomes:
            self.closing = True  # accepted after MAIL was refused: not even a lone dot is safe with such a server

    async def _decline(self) -> None:
        """Nobody was accepted, but DATA was sent along: it should be refused. A 354 is answered with a lone dot, as RFC 2920
        section 3.1 asks, and whatever comes then, nothing was taken for anybody."""
        try:
            if (await self._reply(Phase.DATA)).code // 100 == 3:
                self._wire.write(b".\r\n")
                await self._reply(Phase.DATA)
        except WireError:
            self.closing = True

    # Body

    async def _data(self, accepted: Sequence[int]) -> None:
        """DATA has been sent. The 354 may come while ``on_body`` records; no body byte leaves before both."""
        self.phase = Phase.DATA
        await self._on_body(accepted)
        reply = await self._reply(Phase.DATA)
        if reply.code // 100 == 3:
            self.phase = Phase.BODY
            await self._body()
        elif _positive(reply):
            raise OutOfStep(f"an answer to DATA that is none: {reply}")
        else:
            self._settle_rest(refused(reply, Phase.DATA))

    async def _body(self) -> None:
        body = memoryview(stuffed(self._plan.body))
        start = 0
        while len(body) - start > _CHUNK:
            self._wire.write(body[start : start + _CHUNK])
            start += _CHUNK
            await self._wire.drain(self._timeouts[Phase.BODY])
            if self._wire.answered:
                await self._early_answer()
                return
        self._wire.write(bytes(body[start:]) + b".\r\n")
        self.phase = Phase.DOT
        self._judge_dot(await self._reply(Phase.DOT))

    async def _early_answer(self) -> None:
        """A reply before the dot was written: the server wants no more of it."""
        self.closing = True
        reply = await self._reply(Phase.BODY)
        if reply.code < 400:
            raise OutOfStep(f"an answer before the end of the mail: {reply}")
        self._settle_rest(refused(reply, Phase.BODY))

    def _judge_dot(self, reply: Reply) -> None:
        if _positive(reply):
            self.clean = not self.closing
            self._settle_rest(Taken(remote_id_of(reply), reply))
        elif reply.code >= 400:
            self._settle_rest(refused(reply, Phase.DOT))
        else:
            raise OutOfStep(f"an answer to the final dot that is none: {reply}")

    # Facts

    async def _reply(self, phase: Phase) -> Reply:
        if self.phase is not Phase.DOT:
            self.phase = phase
        reply = await self._wire.reply(self._timeouts[phase])
        self._heard = True
        self.closing = self.closing or reply.code == _CLOSING
        return reply

    def _cut(self, error: WireError) -> Outcome:
        if self.phase is not Phase.DOT:
            return NotReached(f"{error} ({self.phase.value})", self.phase)
        if self._wire.unflushed:  # the dot is in our own buffer, which is thrown away: it never left
            return NotReached(f"{error} (body)", Phase.BODY)
        return Unclear(f"{error} after the final dot", Phase.DOT)

    def _undecided(self) -> tuple[int, ...]:
        return tuple(index for index, _ in self._plan.recipients if index not in self._outcomes)

    def _settle_rest(self, outcome: Outcome) -> None:
        for index, _ in self._plan.recipients:
            self._outcomes.setdefault(index, outcome)

    def _in_order(self) -> Sequence[Outcome]:
        return [self._outcomes[index] for index in sorted(self._outcomes)]


def stuffed(body: bytes) -> bytes:
    """Dots doubled at line starts (RFC 5321 section 4.5.2). ``body`` has CRLF line ends only."""
    if body.startswith(b"."):
        body = b"." + body
    return body.replace(b"\r\n.", b"\r\n..") if b"\r\n." in body else body


def _positive(reply: Reply) -> bool:
    return reply.code // 100 == 2
