"""The last gate before any gateway: modes in which nobody, or nobody but a few, is mailed.

``mode = "shadow"`` does everything but send. ``redirect_to`` sends everything to one address. ``only_to`` refuses everybody
else. They apply here, behind routes, limits and retries, so that no road leads around them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Sequence
from email.header import Header
from typing import cast

from ticketmail.domain.address import Address
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.outcome import Outcome, Phase, Refused, Reply, Taken
from ticketmail.domain.ports.sending import Gateway, GatewayCapabilities, KeepsConnections, OnBody, Outgoing, TellsAllowance

#: Front of a redirected mail: who would have got it.
REDIRECTED_HEADER = "X-Ticketmail-Redirected-From"
#: Our own refusal. 550 5.7.0 is "other security status" (RFC 3463 section 3.8): no word about the recipient's existence.
NOT_ALLOWED = Reply(code=550, enhanced="5.7.0", text="ticketmail: only_to does not allow this recipient; nothing was sent")
SHADOW = Taken(remote_id="shadow", reply=Reply(code=250, enhanced="2.0.0", text="ticketmail: shadow mode, nothing was sent"))


class GuardedGateway:
    """A gateway behind the modes. ``only_to`` holds lower-case addresses and domains; () allows all.

    ``redirect_to`` is checked by ``only_to`` too; the settings refuse a pair that would never send.
    """

    def __init__(
        self, inner: Gateway, *, shadow: bool = False, redirect_to: Address | None = None, only_to: Collection[str] = ()
    ) -> None:
        self._inner = inner
        self._shadow = shadow
        self._redirect_to = redirect_to
        self._only_to = frozenset(only_to)

    @property
    def capabilities(self) -> GatewayCapabilities:
        """The inner gateway's; in shadow mode nobody outside is mailed."""
        found = self._inner.capabilities
        return dataclasses.replace(found, network=False) if self._shadow else found

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        """As the port says; outcomes are per original recipient."""
        if self._redirect_to is not None:
            return await self._send_redirected(mail, self._redirect_to, on_body)
        return await self._send_allowed(mail, on_body)

    async def check(self) -> str:
        """As the port says. It logs in, but sends nothing, so it is made in shadow mode too."""
        return await self._inner.check()

    async def allowance(self) -> Allowance | None:
        """As the port says, of a gateway that tells; in shadow mode too, for it sends nothing."""
        return await cast(TellsAllowance, self._inner).allowance()

    def keep(self, most: int) -> int:
        """As the port says, of a gateway that keeps connections."""
        return cast(KeepsConnections, self._inner).keep(most)

    async def aclose(self) -> None:
        """As the port says."""
        await self._inner.aclose()

    async def _send_redirected(self, mail: Outgoing, target: Address, on_body: OnBody) -> Sequence[Outcome]:
        everybody = tuple(range(len(mail.recipients)))

        async def on_one_body(accepted: Sequence[int]) -> None:
            await on_body(everybody if accepted else ())

        outcomes = await self._send_allowed(_redirected(mail, target), on_one_body)
        return [outcomes[0]] * len(everybody)

    async def _send_allowed(self, mail: Outgoing, on_body: OnBody) -> Sequence[Outcome]:
        allowed = [index for index, recipient in enumerate(mail.recipients) if self._allows(recipient)]
        if len(allowed) == len(mail.recipients):
            return await self._hand_over(mail, on_body)
        outcomes: list[Outcome] = [Refused(NOT_ALLOWED, Phase.RCPT)] * len(mail.recipients)
        if not allowed:
            return outcomes

        async def on_allowed_body(accepted: Sequence[int]) -> None:
            await on_body([allowed[index] for index in accepted])

        some = dataclasses.replace(mail, recipients=tuple(mail.recipients[index] for index in allowed))
        for index, outcome in zip(allowed, await self._hand_over(some, on_allowed_body), strict=True):
            outcomes[index] = outcome
        return outcomes

    async def _hand_over(self, mail: Outgoing, on_body: OnBody) -> Sequence[Outcome]:
        if self._shadow:
            await on_body(range(len(mail.recipients)))
            return [SHADOW] * len(mail.recipients)
        outcomes = await self._inner.send(mail, on_body=on_body)
        if len(outcomes) != len(mail.recipients):
            raise ContractBroken(f"The gateway gave {len(outcomes)} outcomes for {len(mail.recipients)} recipients.")
        return outcomes

    def _allows(self, recipient: str) -> bool:
        key = recipient.lower()
        return not self._only_to or key in self._only_to or key.rpartition("@")[2] in self._only_to


def _redirected(mail: Outgoing, target: Address) -> Outgoing:
    value = ", ".join(one if one.isascii() else Header(one, "utf-8").encode(maxlinelen=0) for one in mail.recipients)
    folded = _folded(REDIRECTED_HEADER, value)
    message = mail.message
    if message is not None:
        message = message.model_copy(update={"headers": (*message.headers, (REDIRECTED_HEADER, value))})
    return dataclasses.replace(mail, recipients=(target.addr_spec,), mime=folded + mail.mime, message=message)


def _folded(name: str, value: str) -> bytes:
    """A header field in lines of at most 998 bytes, the rule of RFC 5322 section 2.1.1, folded at blanks."""
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        if len(line) + len(word) > 900:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]).encode("ascii", "backslashreplace") + b"\r\n"


class Retiring:
    """A gateway that another replaces when its account changes: what is on its way ends here, then it is closed."""

    def __init__(self, inner: Gateway) -> None:
        self._inner = inner
        self._busy = 0
        self._idle = asyncio.Event()

    @property
    def capabilities(self) -> GatewayCapabilities:
        """The inner gateway's."""
        return self._inner.capabilities

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        """As the port says."""
        self._busy += 1
        try:
            return await self._inner.send(mail, on_body=on_body)
        finally:
            self._busy -= 1
            self._idle.set()

    async def check(self) -> str:
        """As the port says."""
        return await self._inner.check()

    async def allowance(self) -> Allowance | None:
        """As the port says, of a gateway that tells."""
        return await cast(TellsAllowance, self._inner).allowance()

    def keep(self, most: int) -> int:
        """As the port says, of a gateway that keeps connections."""
        return cast(KeepsConnections, self._inner).keep(most)

    async def retire(self) -> None:
        """Close it as soon as nothing is on its way."""
        while self._busy:
            self._idle.clear()
            await self._idle.wait()
        await self._inner.aclose()

    async def aclose(self) -> None:
        """As the port says."""
        await self._inner.aclose()
