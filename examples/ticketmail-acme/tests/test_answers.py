"""What becomes of Acme's answers: who waits, who is asked again, what a human sees."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest
from ticketmail_acme import create

from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import Outcome, Taken
from ticketmail.domain.ports.sending import GatewayOptions, Outgoing
from ticketmail.testing.scripted_http import ScriptedServer


async def answer_to(status: int, *, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Outcome:
    async def on_body(accepted: Sequence[int]) -> None:
        assert list(accepted) == [0]

    async with ScriptedServer() as acme:
        acme.answer(status, body=body, headers=headers or {})
        gateway = create(acme.url.replace("http://", "acme+http://:key@"), GatewayOptions())
        mail = Outgoing(uuid4(), "<a@example.com>", "help@example.com", ("ann@example.net",), b"Subject: a\r\n\r\nb\r\n", key="k")
        (outcome,) = await gateway.send(mail, on_body=on_body)
        await gateway.aclose()
        assert acme.requests[0].headers["idempotency-key"] == "k"
    return outcome


@pytest.mark.parametrize(
    ("status", "cause", "advice"),
    [
        (400, "content-encoding", "dead"),
        (401, "auth-temporary", "wait"),
        (413, "too-large", "dead"),
        (429, "throttled-rate", "wait"),
        (500, "unknown", "unknown"),
    ],
)
async def test_an_answer_becomes_a_fault(status: int, cause: str, advice: str) -> None:
    fault = classify(await answer_to(status))

    assert (fault.cause, fault.advice.value) == (cause, advice)


async def test_acmes_own_word_on_when_to_come_back_counts() -> None:
    assert classify(await answer_to(429, headers={"Retry-After": "30"})).retry_after_s == 30


async def test_acmes_figures_are_handed_on() -> None:
    outcome = await answer_to(202, headers={"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30"})

    assert outcome == Taken(allowance=Allowance(7, 30.0, 600))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}"])
async def test_a_202_is_taken_whatever_its_body_says(body: bytes) -> None:
    assert await answer_to(202, body=body) == Taken("")
