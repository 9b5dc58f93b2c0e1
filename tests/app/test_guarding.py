"""Modes in which nobody, or nobody but a few, is mailed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from ticketmail.app.guarding import NOT_ALLOWED, REDIRECTED_HEADER, GuardedGateway
from ticketmail.domain.address import Address
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.outcome import Outcome, Phase, Refused, Taken
from ticketmail.domain.ports.sending import GatewayCapabilities, OnBody, Outgoing

DEV = Address.model_validate("dev@example.org")


class Recording:
    """A gateway that keeps what it was given. ``answers`` None: takes everything."""

    capabilities = GatewayCapabilities()

    def __init__(self, answers: Sequence[Outcome] | None = None) -> None:
        self.got: list[Outgoing] = []
        self.closed = False
        self._answers = answers

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        await on_body(range(len(mail.recipients)))
        self.got.append(mail)
        return [Taken("1")] * len(mail.recipients) if self._answers is None else self._answers

    async def check(self) -> str:
        return "well"

    async def aclose(self) -> None:
        self.closed = True


class Body:
    """Remembers what ``on_body`` was told."""

    def __init__(self) -> None:
        self.accepted: list[list[int]] = []

    async def __call__(self, accepted: Sequence[int]) -> None:
        self.accepted.append(list(accepted))


def outgoing(*recipients: str) -> Outgoing:
    return Outgoing(UUID(int=1), "<1@example.com>", "help@example.com", recipients, b"Subject: x\r\n\r\nHi\r\n")


async def test_without_modes_a_mail_passes_unchanged() -> None:
    inner, mail = Recording(), outgoing("ann@example.net")

    outcomes = await GuardedGateway(inner).send(mail, on_body=Body())

    assert (outcomes, inner.got) == ([Taken("1")], [mail])


async def test_in_shadow_mode_the_gateway_is_never_asked_and_everybody_is_taken() -> None:
    inner, body = Recording(), Body()
    gateway = GuardedGateway(inner, shadow=True)

    outcomes = await gateway.send(outgoing("a@example.net", "b@example.net"), on_body=body)

    assert [outcome.remote_id for outcome in outcomes if isinstance(outcome, Taken)] == ["shadow", "shadow"]
    assert (inner.got, body.accepted, gateway.capabilities.network) == ([], [[0, 1]], False)


async def test_redirected_mail_goes_to_one_address_and_says_who_would_have_got_it() -> None:
    inner, body = Recording(), Body()

    outcomes = await GuardedGateway(inner, redirect_to=DEV).send(outgoing("a@example.net", "b@example.net"), on_body=body)

    assert inner.got[0].recipients == ("dev@example.org",)
    assert inner.got[0].mime.startswith(f"{REDIRECTED_HEADER}: a@example.net, b@example.net\r\n".encode())
    assert (len(outcomes), body.accepted) == (2, [[0, 1]])


async def test_the_redirect_header_stays_within_the_line_limit_and_is_ascii() -> None:
    inner = Recording()
    many = [f"person{number}@example.net" for number in range(100)]

    await GuardedGateway(inner, redirect_to=DEV).send(outgoing(*many, "jürgen@example.net"), on_body=Body())

    head = inner.got[0].mime.partition(b"Subject:")[0]
    assert head.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 998


async def test_only_to_refuses_others_on_our_side_and_keeps_the_order_of_outcomes() -> None:
    inner, body = Recording(), Body()
    gateway = GuardedGateway(inner, only_to=("example.org", "ann@example.net"))

    outcomes = await gateway.send(outgoing("x@example.net", "Ann@Example.net", "y@example.org"), on_body=body)

    assert inner.got[0].recipients == ("Ann@Example.net", "y@example.org")
    assert outcomes == [Refused(NOT_ALLOWED, Phase.RCPT), Taken("1"), Taken("1")]
    assert body.accepted == [[1, 2]]


async def test_a_mail_with_nobody_allowed_reaches_no_gateway_and_begins_no_body() -> None:
    inner, body = Recording(), Body()

    outcomes = await GuardedGateway(inner, only_to=("example.org",)).send(outgoing("x@example.net"), on_body=body)

    assert (outcomes, inner.got, body.accepted) == ([Refused(NOT_ALLOWED, Phase.RCPT)], [], [])


def test_our_refusal_counts_against_no_account_and_suppresses_nobody() -> None:
    fault = classify(Refused(NOT_ALLOWED, Phase.RCPT))

    assert (fault.scope, fault.suppress, fault.alarm) == (FaultScope.RECIPIENT, False, False)
    assert fault.advice in (Advice.FAIL, Advice.DEAD)


async def test_a_domain_in_only_to_does_not_allow_its_look_alikes() -> None:
    inner = Recording()
    gateway = GuardedGateway(inner, only_to=("example.org",))

    await gateway.send(outgoing("x@notexample.org", "x@sub.example.org", "x@example.org.evil.net"), on_body=Body())

    assert inner.got == []


async def test_a_wrong_number_of_outcomes_is_a_broken_contract() -> None:
    with pytest.raises(ContractBroken):
        await GuardedGateway(Recording(answers=[])).send(outgoing("x@example.net"), on_body=Body())
