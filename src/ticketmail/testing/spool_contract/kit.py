"""What the contract hands over, a clock that goes on when a test says so, and a worker in short."""

from __future__ import annotations

import uuid
from typing import Any

from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.accepting import Entry
from ticketmail.domain.ports.delivering import ClaimedMail, Completion, Fenced, Want, WorkerInfo, WorkerSide
from ticketmail.domain.ports.reading import DeliveryView
from ticketmail.domain.scope import Scope

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
START = 1_800_000_000 * SECOND


class ContractClock:
    """Time goes on when a test says so. A ``Clock``."""

    def __init__(self, now_us: int = START) -> None:
        self.at = now_us

    def now_us(self) -> int:
        """UTC microseconds."""
        return self.at

    def monotonic_s(self) -> float:
        """Seconds."""
        return self.at / SECOND

    def go(self, us: int) -> None:
        """``us`` microseconds pass."""
        self.at += us


def entry(recipient: str = "ann@example.net", **changes: Any) -> Entry:
    """A submission as the spool stores it, with ``changes``."""
    recipients = changes.pop("recipients", (recipient,))
    values: dict[str, Any] = {
        "submission_id": uuid.uuid4(),
        "message_id": "<1@example.com>",
        "sender": "help@example.com",
        "route": "main",
        "lane": "reply",
        "lane_weight": 10,
        "return_path": "help@example.com",
        "recipients": recipients,
        "body": b"body",
        "fingerprint": b"f" * 32,
        "size_bytes": 4,
        "lifetime_us": 24 * HOUR,
    }
    return Entry(**{**values, **changes})


WORKER = WorkerInfo("host", 1, "1.0", "desk")
ALL_MAIL = Want("main", "reply", 100)


def claims(mail: ClaimedMail) -> list[Fenced]:
    """The claims of a mail, in order."""
    return [Fenced(mail.submission_id, one.number, one.fence) for one in mail.deliveries]


class Worker:
    """A worker side with its row, for short tests."""

    def __init__(self, side: WorkerSide, worker_id: uuid.UUID) -> None:
        self.side, self.id = side, worker_id
        self.deliveries, self.workers, self.book, self.upkeep = side.deliveries, side.workers, side.book, side.upkeep

    async def claim(self, *wants: Want) -> list[ClaimedMail]:
        """What ``wants`` (all of the main route's replies) gives."""
        return list(await self.deliveries.claim(self.id, wants or (ALL_MAIL,)))


def taken(claim: Fenced, **more: Any) -> Completion:
    """A completion: the gateway has taken it."""
    return Completion(claim, DeliveryState.SENT, spends=True, account="a", outcome="taken", reply="250 ok", **more)


def view_of(spool: Any, submission: Any, number: int = 0) -> DeliveryView:
    """One delivery as people see it."""
    views = spool.reading.find(Scope.parse(f"id:{submission.submission_id}"))
    found: DeliveryView = next(view for view in views if view.number == number)
    return found


def state_of(spool: Any, submission: Any, number: int = 0) -> DeliveryState:
    """The state of one delivery."""
    return view_of(spool, submission, number).state
