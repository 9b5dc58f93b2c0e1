"""Whatever a server does, what the gateway reports is true: Taken was taken, Refused and NotReached were not."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from ticketmail.adapters.smtp import create
from ticketmail.adapters.smtp.replies import reply_of
from ticketmail.adapters.smtp.wire import Wire
from ticketmail.domain.outbound.outcome import Outcome, Phase, Taken, Unclear
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import outgoing
from ticketmail.testing.smtpd import Features, SmtpServer

from .conftest import Trust

MAILS = 6
_REPLIES = ("421 4.7.0 Bye", "450 4.7.1 Later", "550 5.1.1 No")


@dataclass(frozen=True)
class Trouble:
    point: str
    deed: str
    nth: int | None
    times: int
    reply: str


_TROUBLES = st.builds(
    Trouble,
    point=st.sampled_from(["connect", "ehlo", "mail", "rcpt", "data", "body", "dot", "taken", "rset"]),
    deed=st.sampled_from(["refuse", "cut", "hang"]),
    nth=st.none() | st.integers(1, MAILS),
    times=st.integers(1, 3),
    reply=st.sampled_from(_REPLIES),
)


async def run(
    troubles: Sequence[Trouble], *, pipelining: bool, connections: int, tls: ssl.SSLContext | None = None, ca_file: str = ""
) -> tuple[list[Sequence[Outcome]], list[list[tuple[int, ...]]], Counter[str]]:
    async with SmtpServer(features=Features(pipelining=pipelining, starttls=tls)) as server:
        for trouble in troubles:
            if (trouble.point, trouble.deed) == ("rset", "hang"):
                continue  # waits ten seconds, which no setting shortens
            nth = None if trouble.point in ("connect", "ehlo", "rset") else trouble.nth
            if trouble.deed == "refuse":
                server.refuse(trouble.point, trouble.reply, nth=nth, times=trouble.times)
            else:
                getattr(server, trouble.deed)(trouble.point, nth=nth, times=trouble.times)
        quick = tuple((phase.value, 0.05) for phase in Phase if phase not in (Phase.CONNECT, Phase.TLS))
        url = f"smtp://localhost:{server.port}" + (f"?ca_file={ca_file}" if ca_file else "")
        gateway = create(url, GatewayOptions(connections=connections, timeouts_s=quick))
        begun: list[list[tuple[int, ...]]] = [[] for _ in range(MAILS)]

        async def one(number: int) -> Sequence[Outcome]:
            async def record(accepted: Sequence[int]) -> None:
                begun[number].append(tuple(accepted))

            return await gateway.send(outgoing(f"a{number}@example.net", f"b{number}@example.net"), on_body=record)

        outcomes = await asyncio.gather(*(one(number) for number in range(MAILS)))
        await gateway.aclose()
        return outcomes, begun, Counter(address for mail in server.taken for address in mail.recipients)


def judge(outcomes: list[Sequence[Outcome]], begun: list[list[tuple[int, ...]]], taken: Counter[str]) -> None:
    for number, pair in enumerate(outcomes):
        assert len(pair) == 2
        for index, outcome in enumerate(pair):
            copies = taken[f"{'ab'[index]}{number}@example.net"]
            assert copies <= 1
            if not isinstance(outcome, Unclear):
                assert copies == isinstance(outcome, Taken)
            if isinstance(outcome, Taken | Unclear):
                assert index in begun[number][0]
        assert len(begun[number]) <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(_TROUBLES, max_size=6), st.booleans(), st.integers(1, 3))
def test_what_is_reported_is_true_whatever_the_server_does(troubles: list[Trouble], pipelining: bool, connections: int) -> None:
    # "taken" with a reply takes a mail and then refuses it: a lie that no client can see through.
    honest = [trouble for trouble in troubles if not (trouble.point == "taken" and trouble.deed == "refuse")]

    judge(*asyncio.run(run(honest, pipelining=pipelining, connections=connections)))


@settings(max_examples=15, deadline=None)
@given(st.lists(_TROUBLES, max_size=4))
def test_what_is_reported_is_true_over_tls(trust: Trust, troubles: list[Trouble]) -> None:
    honest = [trouble for trouble in troubles if not (trouble.point == "taken" and trouble.deed == "refuse")]

    judge(*asyncio.run(run(honest, pipelining=True, connections=2, tls=trust.server, ca_file=trust.ca_file)))


class Deaf(asyncio.Transport):
    """A transport that goes nowhere."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...
    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...


_TEXT = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=30)
_REPLY_LINES = st.tuples(st.integers(200, 599), st.lists(_TEXT, min_size=1, max_size=4)).map(
    lambda pair: [f"{pair[0]}-{text}" for text in pair[1][:-1]] + [f"{pair[0]} {pair[1][-1]}"]
)


@given(st.lists(_REPLY_LINES, min_size=1, max_size=5), st.lists(st.integers(1, 40)), st.sampled_from(["\r\n", "\n"]))
def test_replies_are_the_same_however_the_network_cuts_them(replies: list[list[str]], cuts: list[int], end: str) -> None:
    data = "".join(line + end for lines in replies for line in lines).encode()

    async def read() -> list[object]:
        wire = Wire(Deaf())
        position = 0
        for size in [*cuts, len(data)]:
            wire.data_received(data[position : position + size])
            position += size
        return [await wire.reply(1.0) for _ in replies]

    assert asyncio.run(read()) == [reply_of(lines) for lines in replies]
