"""The model of a limited server answers as the server does: the same limits, met by the SMTP gateway and by the model's."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from ticketmail.adapters.smtp import create
from ticketmail.domain.outbound.outcome import Outcome, Refused
from ticketmail.domain.ports.sending import Gateway, GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing
from ticketmail.testing.smtpd import ServerLimits, SmtpServer
from ticketmail.testing.smtpd.model import ModelServer

LIMITS = {
    "nothing": ServerLimits(),
    "mail": ServerLimits(daily=2, at="mail"),
    "rcpt": ServerLimits(daily=2, at="rcpt"),
    "data": ServerLimits(daily=2, at="data"),
    "dot": ServerLimits(daily=2, at="dot"),
    "connect": ServerLimits(daily=1, at="connect", daily_reply="421 4.7.0 later", mails_per_connection=2),
    "shut": ServerLimits(rate=2, window_s=3600, shut=True, reply="421 4.7.0 later"),
    "so many each": ServerLimits(mails_per_connection=2),
    "no connections": ServerLimits(connections=0),
    "no connections, said at the dot": ServerLimits(connections=0, connections_at="dot", connections_reply="432 4.3.2 too many"),
}


async def outcomes(gateway: Gateway) -> Sequence[Outcome]:
    """Of five mails, one after another."""
    try:
        return [(await gateway.send(outgoing("ann@example.net"), on_body=no_matter))[0] for _ in range(5)]
    finally:
        await gateway.aclose()


def facts(outcome: Outcome) -> tuple[object, ...]:
    if isinstance(outcome, Refused):
        return ("refused", outcome.reply.code, outcome.reply.enhanced, outcome.phase)
    return (type(outcome).__name__,)


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
async def test_the_same_limits_are_met_in_the_same_way(limits: ServerLimits) -> None:
    model = ModelServer(limits, time.monotonic, round_trip_s=0.0)
    async with SmtpServer(limits=limits) as server:
        real = await outcomes(create(f"smtp://127.0.0.1:{server.port}", GatewayOptions(allow_plaintext=True)))
        modelled = await outcomes(model.gateway())

        assert [facts(one) for one in modelled] == [facts(one) for one in real]
        for kind in ("taken", "refused"):
            assert model.meter("").tally.total(kind) == server.meter().tally.total(kind)
