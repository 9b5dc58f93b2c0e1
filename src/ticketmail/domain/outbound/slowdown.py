"""The other side's limits, met: a throttle (too fast just now) and a quota (used up until a reset). Pure."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.resets import Resets, lasted, try_us
from ticketmail.domain.units import format_duration

THROTTLE_MOST_S: Final = 60.0
#: One try after a minute, then each time half as late again; once an hour finds the first free place of a rolling day.
QUOTA_FIRST_S, QUOTA_LATER, QUOTA_PROBE_S = 60.0, 1.5, 3600.0
#: Where it was seen to come back: a try each time that this is longer ago by this part.
QUOTA_LONGER: Final = 0.15
#: Where it is known when the quota comes back: it may be raised, too.
QUOTA_KNOWN_S: Final = 6 * 3600.0
RETRY_MOST_S: Final = 86_400.0


class Slowdown(BaseModel):
    """Nothing before ``until_us``. ``step`` counts how often in a row; ``refused_us``: the last one. After its end one mail at a
    time is tried (``probe_until_us``) until one is taken. ``named``: the server said that end; else it is a guess."""

    model_config = ConfigDict(frozen=True, extra="allow")

    since_us: int = 0
    refused_us: int = 0
    until_us: int = 0
    step: int = 0
    probe_until_us: int = 0
    named: bool = False
    cause: str = ""
    reason: str = ""


def throttled(
    old: Slowdown | None, fault: Fault, *, now_us: int, jitter: float, issued_us: int | None = None, least_s: float = 1.0
) -> tuple[Slowdown, str]:
    """After a refusal for going too fast: ``least_s``, doubling to 60 s with each try that is refused, unless the
    server names a time. And a note, the first time.

    Refusals of permits given before the hold began (``issued_us``; None: that came in while it lasts) are echoes: they neither
    double nor prolong it, but for a time that the server names.
    """
    step = 0
    if old is not None:
        echo = issued_us <= old.since_us if issued_us is not None else now_us < old.until_us
        if echo:
            return _prolonged(old, fault, now_us, jitter), ""
        step = old.step + 1
    asked_s = fault.retry_after_s
    hold_s = min(asked_s, RETRY_MOST_S) if asked_s is not None else min(least_s * 2.0 ** min(step, 10), THROTTLE_MOST_S)
    hold_s *= 1 + 0.1 * jitter
    note = "" if step else f"Slowed down for {format_duration(hold_s)} ({fault.cause}): {fault.text[:500]}"
    return _held(old or Slowdown(), fault, now_us, hold_s, step), note


def out_of_quota(
    old: Slowdown | None, fault: Fault, *, now_us: int, jitter: float, resets: Resets | None = None
) -> tuple[Slowdown, str]:
    """After a refusal because a quota is used up: until the reset if the server names it or it is known from before, else a try
    now and then, at last one an hour. And a note, the first time."""
    if old is not None and now_us < old.until_us:
        return _prolonged(old, fault, now_us, jitter), ""
    step = old.step + 1 if old is not None else 0
    since_us = old.since_us if old is not None else now_us
    looks_s = min(_looks_s(resets, since_us, now_us, step), QUOTA_PROBE_S)
    expected_us = try_us(resets, since_us=since_us, now_us=now_us)
    if expected_us is not None:
        looks_s = min(QUOTA_KNOWN_S, max(1.0, (expected_us - now_us) / 1e6))
    hold_s = min(fault.retry_after_s or looks_s, RETRY_MOST_S) * (1 + (0.1 * jitter if expected_us is None else 0.0))
    note = "" if old is not None else f"Quota used up; next try in {format_duration(hold_s)}: {fault.text[:500]}"
    held = _held(old or Slowdown(), fault, now_us, hold_s, step)
    return (held if old is None else held.model_copy(update={"since_us": old.since_us})), note


def _looks_s(resets: Resets | None, since_us: int, now_us: int, step: int) -> float:
    """When to look for a reset of which nothing is known but when the last one was seen: seconds from now."""
    if resets is not None and lasted(resets, since_us):
        return QUOTA_LONGER * (now_us - resets.before_us) / 1e6
    return QUOTA_FIRST_S * QUOTA_LATER ** min(step, 20)


def _held(old: Slowdown, fault: Fault, now_us: int, hold_s: float, step: int) -> Slowdown:
    update = {
        "since_us": now_us,
        "refused_us": now_us,
        "until_us": max(old.until_us, now_us + int(hold_s * 1e6)),
        "step": step,
        "probe_until_us": 0,
        "named": fault.retry_after_s is not None,
        "cause": fault.cause,
        "reason": fault.text[:500],
    }
    return old.model_copy(update=update)


def _prolonged(old: Slowdown, fault: Fault, now_us: int, jitter: float) -> Slowdown:
    """The same hold, longer if the server names a later time; the same object if not."""
    if fault.retry_after_s is None:
        return old
    asked_s = min(fault.retry_after_s, RETRY_MOST_S) * (1 + 0.1 * jitter)
    until_us = now_us + int(asked_s * 1e6)
    return old if until_us <= old.until_us else old.model_copy(update={"until_us": until_us, "named": True})
