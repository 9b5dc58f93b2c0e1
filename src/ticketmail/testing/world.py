"""The world outside: gateways that take mail into memory, fail by script, and remember what arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from ticketmail.domain.outbound.outcome import Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.ports.sending import GatewayCapabilities, OnBody, Outgoing

_AFTER_BODY = (Phase.BODY, Phase.DOT)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One copy of a mail that the other side has, for one recipient. ``at_us``: UTC microseconds."""

    at_us: int
    account: str
    submission_id: UUID
    message_id: str
    recipient: str
    mime: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Act:
    """What the other side does with one recipient of a mail: ``outcome`` after ``delay_s`` seconds. ``arrives``: it has the
    mail all the same, though nobody is told (a cut after the dot)."""

    outcome: Outcome
    delay_s: float = 0.0
    arrives: bool = False

    @property
    def after_body(self) -> bool:
        """The body begins before it."""
        return isinstance(self.outcome, (Taken, Unclear)) or self.outcome.phase in _AFTER_BODY


class Script(Protocol):
    """Says what becomes of a mail for one recipient. None: it is taken."""

    def __call__(self, account: str, recipient: str) -> Act | None: ...


#: Told when a body begins: account and mail.
BodyBegins = Callable[[str, Outgoing], None]


class World:
    """What arrived, through any account. ``script`` says what goes wrong, ``body_begins`` is told of each body."""

    def __init__(self, now_us: Callable[[], int], script: Script, body_begins: BodyBegins | None = None) -> None:
        self.body_begins: BodyBegins = body_begins or (lambda account, mail: None)
        self._now_us = now_us
        self._script = script
        self.arrived: list[Arrived] = []
        self.tried: list[tuple[UUID, str]] = []  #: mails and recipients in the order in which any account was given them

    def gateway(self, account: str) -> WorldGateway:
        """An account's way into it."""
        return WorldGateway(self, account)

    def acts(self, account: str, recipients: Sequence[str]) -> list[Act]:
        """What happens to each recipient."""
        taken = Act(Taken(reply=Reply(250, "ok", "2.0.0")))
        return [self._script(account, recipient) or taken for recipient in recipients]

    def take(self, account: str, mail: Outgoing, recipient: str) -> None:
        """It arrived."""
        self.arrived.append(Arrived(self._now_us(), account, mail.submission_id, mail.message_id, recipient, mail.mime))


class WorldGateway:
    """A gateway that reports as a server of RFC 5321 would make it."""

    def __init__(self, world: World, account: str) -> None:
        self._world = world
        self._account = account

    @property
    def capabilities(self) -> GatewayCapabilities:
        return GatewayCapabilities(network=False)

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        self._world.tried += [(mail.submission_id, recipient) for recipient in mail.recipients]
        acts = self._world.acts(self._account, mail.recipients)
        await self._pass([act for act in acts if not act.after_body])
        accepted = [place for place, act in enumerate(acts) if act.after_body]
        if accepted:
            await on_body(accepted)
            self._world.body_begins(self._account, mail)
            await self._pass([acts[place] for place in accepted])
            for place in accepted:
                if isinstance(acts[place].outcome, Taken) or acts[place].arrives:
                    self._world.take(self._account, mail, mail.recipients[place])
            await asyncio.sleep(0)  # the answer travels: whoever dies here never reads it
        return [act.outcome for act in acts]

    async def check(self) -> str:
        return "Everything stays in memory."

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _pass(self, acts: Sequence[Act]) -> None:
        await asyncio.sleep(max((act.delay_s for act in acts), default=0.0))


def outcome_of(line: str, phase: Phase = Phase.RCPT) -> Refused:
    """A server's line as a refusal: ``550 5.1.1 No such user``. Raises ValueError for a line that refuses nothing."""
    code, _, text = line.partition(" ")
    if len(code) != 3 or not code.isdigit() or code[0] not in "45":
        raise ValueError(f"{line!r} is no refusal: it begins with a code of 4yz or 5yz, such as '451 4.3.0 Try later'.")
    first, _, rest = text.partition(" ")
    enhanced = first if first.count(".") == 2 and first.replace(".", "").isdigit() else ""
    return Refused(Reply(int(code), rest if enhanced else text, enhanced), phase)
