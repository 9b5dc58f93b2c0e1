"""A spool filled through its ports, with a clock that goes on when a test says so."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ticketmail.app.plugins import open_spool
from ticketmail.app.usecases.report import AccountFacts, Answer, Facts, Status, Times, status, surroundings, why
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.permits import charge, take
from ticketmail.domain.outbound.settling import settle_fault
from ticketmail.domain.ports.accepting import Entry
from ticketmail.domain.ports.delivering import Change, ClaimedMail, Completion, Fenced, Want, WorkerInfo
from ticketmail.domain.ports.reading import DeliveryView
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope

SECOND = 1_000_000
#: 2027-01-15 08:00:00 UTC, which is 09:00:00 +01:00.
START = 1_800_000_000 * SECOND
ZONE = timezone(timedelta(hours=1))


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now_us(self) -> int:
        return self.at

    def monotonic_s(self) -> float:
        return self.at / SECOND

    def go(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


class Desk:
    """A spool, a worker, and what the settings say."""

    def __init__(self, spool: Any, clock: Clock) -> None:
        self.spool, self.clock, self.reading = spool, clock, spool.reading
        self.side = spool.worker_side()
        self.worker_id: uuid.UUID | None = None
        self.facts = Facts(
            site="desk",
            accounts={"support": AccountFacts(limits=AccountLimits.parse(["10/min", "2000/day"]))},
            routes={"*": ("support",)},
            lanes={"code": 900.0, "reply": 259_200.0},
        )

    @property
    def times(self) -> Times:
        return Times(self.clock.at, ZONE)

    async def start_worker(self) -> None:
        self.worker_id = (await self.side.workers.register(WorkerInfo("mailhost", 4711, "1.0", "desk"))).worker_id

    def accept(self, to: str = "ann@example.net", **changes: Any) -> uuid.UUID:
        values: dict[str, Any] = {
            "submission_id": uuid.uuid4(),
            "message_id": "<1@example.com>",
            "sender": "help@example.com",
            "route": "*",
            "lane": "reply",
            "lane_weight": 32,
            "return_path": "help@example.com",
            "recipients": (to,),
            "body": b"body",
            "fingerprint": b"f" * 32,
            "size_bytes": 4,
            "lifetime_us": 72 * 3600 * SECOND,
        }
        made = Entry(**{**values, **changes})
        self.spool.intake.accept([made])
        return made.submission_id

    async def later(self, seconds: float) -> None:
        """Time goes on, and the worker beats."""
        assert self.worker_id is not None
        self.clock.go(seconds)
        await self.side.workers.beat(self.worker_id, {})

    async def claim(self, lane: str = "reply") -> list[ClaimedMail]:
        assert self.worker_id is not None
        return list(await self.side.deliveries.claim(self.worker_id, [Want("*", lane, 100)]))

    async def end(self, mail: ClaimedMail, state: DeliveryState, **said: Any) -> None:
        """Begin, wait a second, and record what became of it."""
        assert self.worker_id is not None
        claims = [Fenced(mail.submission_id, one.number, one.fence) for one in mail.deliveries]
        assert all(await self.side.deliveries.begin(self.worker_id, "support", claims))
        began_us = self.clock.at
        self.clock.go(1)
        done = [
            Completion(claim, state, account="support", began_us=began_us, ended_us=self.clock.at, spends=True, **said)
            for claim in claims
        ]
        assert all(await self.side.deliveries.record(self.worker_id, done))

    async def fault(self, fault: Fault, account: str = "support") -> None:
        """What a fault of the account makes of its document."""

        def step(content: bytes | None, now_us: int) -> tuple[Change | None, None]:
            state, note = settle_fault(AccountState.from_json(content), fault, now_us=now_us, jitter=0.0)
            return Change(state.to_json(), note=note, scope=f"account:{account}", actor="ticketmail"), None

        await self.side.book.change("account", account, step)

    async def change(self, step: Callable[[AccountState], AccountState], account: str = "support") -> None:
        """What makes of the account's state something else."""
        await self.side.book.change(
            "account", account, lambda content, _: (Change(step(AccountState.from_json(content)).to_json()), None)
        )

    async def spend(self, limits: AccountLimits, *, recipients: int, size_bytes: int) -> None:
        """A mail of so many recipients and bytes has gone by ``support``."""

        def step(content: bytes | None, now_us: int) -> tuple[Change | None, None]:
            state, _ = take(AccountState.from_json(content), limits, worker="w", permits=1, connections=1, now_us=now_us)
            amounts = {"recipients": recipients - 1, "size_bytes": size_bytes}
            return Change(charge(state, limits, worker="w", now_us=now_us, **amounts)[0].to_json()), None

        await self.side.book.change("account", "support", step)

    def view(self, id_: uuid.UUID) -> DeliveryView:
        return next(iter(self.reading.find(Scope.parse(f"id:{id_}"))))

    def why(self, id_: uuid.UUID) -> Answer:
        return why(self.reading, self.view(id_), surroundings(self.reading, self.facts), self.times)

    def told(self, id_: uuid.UUID) -> str:
        return "\n".join(one.text for one in self.why(id_).sentences)

    def status(self) -> Status:
        return status(self.reading, self.facts, self.times)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "memory"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    url = f"sqlite:///{tmp_path}/spool.db" if request.param == "sqlite" else "memory://"
    spool = open_spool(url, SpoolOptions(site="desk", clock=clock))
    made = Desk(spool, clock)
    yield made
    await made.side.aclose()
    spool.close()
