"""``ticketmail top``: what happens now. One look at the spool, and at its last minute; needs no worker alive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ticketmail.app.usecases.report.limits import LimitsView, limits_view
from ticketmail.app.usecases.report.models import Facts, LaneStatus, Level, WorkerStatus
from ticketmail.app.usecases.report.status import status, surroundings
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import HistoryRow, Reading

#: Attempts of the last minute are counted; where there are more of them than ``ROWS``, those of a shorter time (seconds).
SPANS_S = (60.0, 10.0, 2.0)
ROWS = 5000
#: "Now" is so much of it (seconds).
NOW_S = 5.0
#: Changes of accounts are shown for so long (microseconds), the newest ones.
CHANGES_US = 15 * 60_000_000
CHANGES = 5


@dataclass(frozen=True, slots=True)
class AccountTop:
    """One account now. ``now_per_s`` and ``per_min`` count attempts that were taken; ``refused`` counts others, by cause.
    ``used`` is the part of its fullest window, ``window`` which one; None: no windows."""

    account: str
    state: str
    level: Level
    now_per_s: float
    per_min: float
    refused: Mapping[str, int]
    used: float | None
    window: str
    limits: LimitsView


@dataclass(frozen=True, slots=True)
class ChangeTop:
    """Something that changed for an account: a limit that was learned, a breaker, a hold."""

    at_us: int
    scope: str
    text: str


@dataclass(frozen=True, slots=True)
class Top:
    """One frame."""

    at_us: int
    level: Level
    headline: str
    accounts: tuple[AccountTop, ...]
    lanes: tuple[LaneStatus, ...]
    workers: tuple[WorkerStatus, ...]
    in_flight: int
    changes: tuple[ChangeTop, ...]


@dataclass(slots=True)
class _Minute:
    """Attempts of one account that have ended, by what became of them."""

    taken: int = 0
    lately: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def top(reading: Reading, facts: Facts, times: Times | None = None) -> Top:
    """One frame. Raises SpoolError kin."""
    around = surroundings(reading, facts)
    times = times or Times(around.now_us)
    found = status(reading, facts, times, around)
    minutes, span_s = _attempts(reading, around.now_us)
    accounts = []
    for one in found.accounts:
        minute, limits = minutes.get(one.name, _Minute()), limits_view(one.name, around, times)
        fullest = max(((use.used / use.allowed, use.window) for use in limits.windows if use.kind != "smooth"), default=None)
        accounts.append(
            AccountTop(
                account=one.name,
                state=one.state,
                level=one.level,
                now_per_s=minute.lately / min(NOW_S, span_s),
                per_min=minute.taken * 60 / span_s,
                refused=dict(minute.refused),
                used=fullest[0] if fullest is not None else None,
                window=fullest[1] if fullest is not None else "",
                limits=limits,
            )
        )
    counts = around.overview.counts
    return Top(
        at_us=around.now_us,
        level=found.level,
        headline=found.headline,
        accounts=tuple(accounts),
        lanes=found.lanes,
        workers=found.workers,
        in_flight=counts.get(DeliveryState.CLAIMED, 0) + counts.get(DeliveryState.SENDING, 0),
        changes=_changes(reading, around.now_us),
    )


def _attempts(reading: Reading, now_us: int) -> tuple[dict[str, _Minute], float]:
    """By account, and how many seconds they cover."""
    rows: Sequence[HistoryRow] = ()
    span_s = SPANS_S[0]
    for span_s in SPANS_S:
        rows = reading.log(since_us=now_us - int(span_s * 1e6), limit=ROWS, decisions_only=False)
        if len(rows) < ROWS:
            break
    found: dict[str, _Minute] = {}
    for row in rows:
        if row.kind == "attempt" and row.account and row.ended_us is not None:
            _count(found.setdefault(row.account, _Minute()), row, now_us)
    return found, span_s


def _count(minute: _Minute, row: HistoryRow, now_us: int) -> None:
    if row.outcome != "taken":
        minute.refused[row.cause or row.outcome] += 1
        return
    minute.taken += 1
    minute.lately += row.ended_us is not None and now_us - row.ended_us < NOW_S * 1e6


def _changes(reading: Reading, now_us: int) -> tuple[ChangeTop, ...]:
    rows = [one for one in reading.log(since_us=now_us - CHANGES_US) if one.scope.startswith("account:") and one.kind != "alert"]
    return tuple(ChangeTop(one.at_us, one.scope, one.reason or one.state) for one in rows[-CHANGES:])
