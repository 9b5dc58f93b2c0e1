"""Which marks come back: only what has arrived as it was sent is proved."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ticketmail.app.usecases.arrivals import Trial, prove_marks
from ticketmail.app.usecases.probe import Proof
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.outbound.outcome import Outcome, Taken
from ticketmail.domain.ports.sending import Gateway, Outgoing
from ticketmail.testing.mailboxes import FakeMailbox, FakeMailServer

OWN = "help@desk.example"
ALL = {"reply_token": "true", "bounce_to": f'"{OWN}"', "subject_tag": "true", "body_marker": "true"}


class Way:
    """Delivers to the mailbox what ``change`` makes of a mail; None: it is lost."""

    def __init__(self, server: FakeMailServer, change: Callable[[Outgoing, bytes], bytes | None]) -> None:
        self.server, self.change = server, change

    async def send(self, mail: Outgoing, *, on_body: Any) -> Sequence[Outcome]:
        content = self.change(mail, f"Return-Path: <{mail.return_path}>\r\n".encode() + mail.mime)
        if content is not None:
            self.server.deliver(content)
        return [Taken()]


def lost_behind_a_plus(mail: Outgoing, content: bytes) -> bytes | None:
    return None if "+" in mail.recipients[0] else content


def own_return_path(mail: Outgoing, content: bytes) -> bytes | None:
    return content.replace(f"Return-Path: <{mail.return_path}>".encode(), f"Return-Path: <{OWN}>".encode())


def without_tag_and_marker(mail: Outgoing, content: bytes) -> bytes | None:
    return content.replace(b"[#4711-", b"[4711-").replace(b"[ref ", b"[")


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        (lambda mail, content: content, set()),
        (lost_behind_a_plus, {"reply_token", "bounce_to"}),
        (own_return_path, {"bounce_to"}),
        (without_tag_and_marker, {"subject_tag", "body_marker"}),
        (lambda mail, content: None, set(ALL)),
    ],
)
async def test_only_what_came_back_is_proved(change: Any, lacks: set[str]) -> None:
    server, proof = FakeMailServer(), Proof()
    server.deliver(b"Subject: there before\r\n\r\n")
    trial = Trial(OWN, OWN, uuid.uuid4, 1_800_000_000_000_000)
    time = Timing()
    gateway: Gateway = Way(server, change)  # type: ignore[assignment]

    await prove_marks(
        proof, gateway, FakeMailbox(server), trial, clock=time.clock, sleeper=time.sleeper, threads=time.threads, patience_s=0.0
    )

    assert proof.marks == {name: value for name, value in ALL.items() if name not in lacks}
