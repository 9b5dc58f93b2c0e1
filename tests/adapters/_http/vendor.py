"""The other side of a provider's gateway: the kit's HTTP server, and how it sees mails in requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ticketmail.testing.gateway_contract import CannotPlay
from ticketmail.testing.scripted_http import HttpAnswer, HttpRequest, ScriptedServer

#: Return path, recipients, mail; None for a request that sends nothing.
Seen = Callable[[HttpRequest], tuple[str, frozenset[str], bytes] | None]


class Vendor:
    """A provider: a GatewayServer of the contract."""

    def __init__(self, http: ScriptedServer, respond: Callable[[HttpRequest], HttpAnswer], seen: Seen) -> None:
        self.http = http
        self._seen = seen
        http.respond = respond

    def taken(self) -> Sequence[tuple[str, frozenset[str], bytes]]:
        return [mail for request in self.http.requests if (mail := self._seen(request)) is not None]

    def refuse_recipient(self, address: str) -> None:
        raise CannotPlay("it answers for the whole mail")

    def refuse_all(self) -> None:
        raise CannotPlay("it answers after the body")

    def cut_before_body(self) -> None:
        raise CannotPlay("header and body are sent without waiting")

    hang_before_body = cut_before_body

    def cut_after_taking(self) -> None:
        self.http.cut(after_body=True)

    def hang_after_taking(self) -> None:
        self.http.hang()

    def heal(self) -> None:
        self.http.heal()

    async def vanish(self) -> None:
        await self.http.stop()
