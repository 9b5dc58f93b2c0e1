"""The breaker of an account: after faults of account or gateway nothing is tried for a while, then one mail, then a few.

Numbers: reference of other systems in ADR and documentation; opens after 5 faults in a row, or half of at least 10 within a
minute; stays open 30 s, doubling to 15 min. Faults that a human must mend open it sooner: see ``settling.py``.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.units import format_duration

IN_A_ROW: Final = 5
MINUTE_US: Final = 60_000_000
MINUTE_LEAST: Final = 10
OPEN_S: Final = 30.0
OPEN_MOST_S: Final = 900.0
#: Half-open lets 1, 2, 4, 8 mails through, each round after all of the one before went well.
LAST_ROUND: Final = 8
#: A probe without an outcome for so long does not keep others from probing (microseconds).
PROBE_LIFE_US: Final = 60_000_000
#: Nothing holds for longer: what seems to was noted by a clock that has been set back since (microseconds).
_LONGEST_US: Final = 2 * 3600 * 1_000_000


class Breaker(BaseModel):
    """``until_us``: end of being open. ``strikes``: how often it opened in a row. ``in_a_row``: faults since the last success.
    ``minute_*``: the minute that began with a fault. ``allowance``: mails in this half-open round, ``out`` of them are under
    way until ``out_until_us`` at most, ``good`` went well."""

    model_config = ConfigDict(frozen=True, extra="allow")

    phase: Literal["closed", "open", "half-open"] = "closed"
    since_us: int = 0
    until_us: int = 0
    strikes: int = 0
    in_a_row: int = 0
    minute_us: int = 0
    minute_all: int = 0
    minute_faults: int = 0
    allowance: int = 0
    out: int = 0
    out_until_us: int = 0
    good: int = 0
    cause: str = ""
    reason: str = ""


def after_fault(
    breaker: Breaker, fault: Fault, *, now_us: int, jitter: float, in_a_row: int = IN_A_ROW, open_s: float | None = None
) -> tuple[Breaker, str]:
    """The breaker after a fault of account or gateway, and a note if it opened: after ``in_a_row`` faults, for ``open_s`` seconds
    (None: 30 s, doubling)."""
    if breaker.phase == "open" and now_us < breaker.until_us:
        return breaker, ""  # what was under way when it opened says nothing new
    counted = _counted(breaker, now_us, fault=True)
    half = counted.minute_all >= MINUTE_LEAST and counted.minute_faults * 2 >= counted.minute_all
    if breaker.phase == "closed" and counted.in_a_row < in_a_row and not half:
        return counted, ""
    return _opened(counted, fault, now_us=now_us, jitter=jitter, open_s=open_s)


def after_success(breaker: Breaker, *, now_us: int) -> tuple[Breaker, str]:
    """The breaker after a mail was taken, and a note if it closed. The same object if nothing changed."""
    if breaker.phase == "open":
        return breaker, ""
    if breaker.phase == "closed":
        return (_counted(breaker, now_us, fault=False) if breaker.in_a_row or breaker.minute_faults else breaker), ""
    good = breaker.good + 1
    if good < breaker.allowance:
        return breaker.model_copy(update={"good": good, "out": max(0, breaker.out - 1)}), ""
    if breaker.allowance >= LAST_ROUND:
        return Breaker(**(breaker.model_extra or {})), f"Sending again: {breaker.allowance} mails in a row went well."
    return breaker.model_copy(update={"allowance": breaker.allowance * 2, "good": 0, "out": 0}), ""


def allowed(breaker: Breaker, now_us: int) -> int | None:
    """How many mails may be tried now; None: no restriction."""
    if breaker.phase == "closed":
        return None
    if breaker.phase == "open":
        return 1 if now_us >= next_probe_us(breaker, now_us) else 0
    return max(0, breaker.allowance - (breaker.out if now_us < breaker.out_until_us else 0))


def next_probe_us(breaker: Breaker, now_us: int) -> int:
    """When the next mail may be tried, if ``allowed`` says 0."""
    until_us = breaker.until_us if breaker.phase == "open" else breaker.out_until_us
    return now_us if until_us - now_us > _LONGEST_US else max(now_us, until_us)


def tried(breaker: Breaker, count: int, now_us: int) -> Breaker:
    """``count`` mails are under way."""
    if breaker.phase == "closed" or count <= 0:
        return breaker
    if breaker.phase == "open":
        breaker = breaker.model_copy(update={"phase": "half-open", "allowance": 1, "good": 0, "out": 0})
    out = (breaker.out if now_us < breaker.out_until_us else 0) + count
    return breaker.model_copy(update={"out": out, "out_until_us": now_us + PROBE_LIFE_US})


def not_tried(breaker: Breaker, count: int) -> Breaker:
    """``count`` of them were not tried after all."""
    return breaker.model_copy(update={"out": max(0, breaker.out - count)}) if breaker.phase == "half-open" else breaker


def retried(breaker: Breaker) -> Breaker:
    """One mail is tried at once, for the cause may be mended. The same object if it is not open."""
    return breaker.model_copy(update={"until_us": 0}) if breaker.phase == "open" and breaker.until_us else breaker


def _counted(breaker: Breaker, now_us: int, *, fault: bool) -> Breaker:
    same = breaker.minute_faults > 0 and 0 <= now_us - breaker.minute_us < MINUTE_US
    if not same and not fault:
        return breaker.model_copy(update={"in_a_row": 0, "minute_us": 0, "minute_all": 0, "minute_faults": 0})
    return breaker.model_copy(
        update={
            "in_a_row": breaker.in_a_row + 1 if fault else 0,
            "minute_us": breaker.minute_us if same else now_us,
            "minute_all": (breaker.minute_all if same else 0) + 1,
            "minute_faults": (breaker.minute_faults if same else 0) + int(fault),
        }
    )


def _opened(breaker: Breaker, fault: Fault, *, now_us: int, jitter: float, open_s: float | None) -> tuple[Breaker, str]:
    open_s = open_s if open_s is not None else min(OPEN_S * 2 ** min(breaker.strikes, 10), OPEN_MOST_S)
    open_s = max(open_s, min(fault.retry_after_s or 0.0, 3600.0)) * (1 + 0.1 * jitter)
    reason = fault.text[:500]
    opened = breaker.model_copy(
        update={
            "phase": "open",
            "since_us": now_us if breaker.phase == "closed" else breaker.since_us,
            "until_us": now_us + int(open_s * 1e6),
            "strikes": breaker.strikes + 1,
            "in_a_row": 0,
            "minute_us": 0,
            "minute_all": 0,
            "minute_faults": 0,
            "allowance": 0,
            "out": 0,
            "good": 0,
            "cause": fault.cause,
            "reason": reason,
        }
    )
    return opened, f"Stopped for {format_duration(open_s)} ({fault.cause}): {reason}"
