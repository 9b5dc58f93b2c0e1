"""``null://``: takes every mail and mails nobody. ``null://?refuse=bounce@`` refuses recipients that contain the text."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.outcome import Outcome, Phase, Refused, Reply, Taken
from ticketmail.domain.ports.sending import Gateway, GatewayCapabilities, GatewayOptions, OnBody, Outgoing

__all__ = ["NullGateway", "create"]


class NullGateway:
    """Behaves like a server that is always there. ``refuse``: parts of addresses that get ``550 5.1.1``."""

    def __init__(self, refuse: Sequence[str] = ()) -> None:
        self._refuse = tuple(text.lower() for text in refuse if text)
        self.taken = 0  #: recipients taken so far

    @property
    def capabilities(self) -> GatewayCapabilities:
        return GatewayCapabilities(network=False)

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        outcomes = [self._outcome(recipient) for recipient in mail.recipients]
        accepted = tuple(index for index, outcome in enumerate(outcomes) if isinstance(outcome, Taken))
        if accepted:
            await on_body(accepted)
        self.taken += len(accepted)
        return outcomes

    async def check(self) -> str:
        return "null:// takes every mail and mails nobody."

    async def aclose(self) -> None:
        """Nothing is open."""

    def _outcome(self, recipient: str) -> Outcome:
        if any(text in recipient.lower() for text in self._refuse):
            return Refused(Reply(550, "refused by null://", "5.1.1"), Phase.RCPT)
        return Taken(reply=Reply(250, "taken by null://, mailed to nobody", "2.0.0"))


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``null``. Raises SettingsError on an unknown parameter."""
    query = parse_qs(urlsplit(url).query)
    unknown = sorted(set(query) - {"refuse"})
    if unknown:
        raise SettingsError(f"null:// has no parameter {unknown[0]!r}.", name=options.account, remedy="Known is refuse.")
    return NullGateway(query.get("refuse", ()))
