"""A provider that can be asked what it still takes is asked before it refuses, and kept to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.worker.scene import letter, until, views, working
from ticketmail import TicketMail
from ticketmail.adapters.null import NullGateway
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.sending import GatewayCapabilities


class Provider(NullGateway):
    """Says that ``remaining`` mails may go within the hour; ``error`` instead, if there is one."""

    def __init__(self, remaining: int, error: Exception | None = None) -> None:
        super().__init__()
        self.remaining, self.error, self.asked = remaining, error, 0

    @property
    def capabilities(self) -> GatewayCapabilities:
        return replace(super().capabilities, tells_allowance=True)

    async def allowance(self) -> Allowance | None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Allowance(max(0, self.remaining - self.taken), 3600.0, limit=10)


@pytest.mark.parametrize("error", [None, OSError("away"), KeyError("an adapter's own fault")])
async def test_what_the_provider_says_is_kept_to_and_one_that_fails_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr("ticketmail.app.worker.ASK_EVERY_S", 0.05)
    provider, other = Provider(2), Provider(99, error)
    accounts = {"a": {"url": "null://", "senders": ["example.com"]}, "b": {"url": "null://", "senders": ["example.org"]}}
    with TicketMail(settings={"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": accounts}) as mail:
        async with working(mail, gateways={"a": provider, "b": other}):
            await until(lambda: b"told" in mail.reading.documents("account").get("a", b""))
            for number in range(5):
                await mail.asubmit(letter(f"c{number}@example.net"))
            await mail.asubmit(letter(sender="help@example.org"))
            await until(lambda: (provider.taken, other.taken) == (2, 1))
            waiting = [one for one in views(mail) if one.state is DeliveryState.QUEUED]
            (why,) = mail.why(waiting[0].submission_id)

    assert len(waiting) == 3
    assert {one.attempts for one in waiting} == {0}
    assert "the provider said that no more mail goes until its reset" in why.holds[0].text


@pytest.mark.parametrize("says", [True, False])
async def test_mails_are_counted_where_the_provider_may_say_what_it_still_takes(tmp_path: Path, says: bool) -> None:
    gateway = Provider(99) if says else NullGateway()
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": {"a": {"url": "null://"}}}
    with TicketMail(settings=settings) as mail:
        async with working(mail, gateways={"a": gateway}):
            await mail.asubmit(letter())
            await until(lambda: gateway.taken == 1)
            document = mail.reading.documents("account").get("a", b"")

    assert (b"blocks" in document) is says
