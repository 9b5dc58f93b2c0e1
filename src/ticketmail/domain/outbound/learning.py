"""What a mail server taught: the pace it bears, found from its refusals, and how many connections. Pure.

A *cycle* goes from one end of refusing to the next. What went through in it, over its length, is what the server bears in the
long run, whatever its window is: the first estimate. From there the pace gallops up in steps that double and falls back to the
last good one at a refusal; between a good and a bad pace the middle is tried until they are close. Then it holds, and looks up
again now and then. A refusal at a pace that had been good means that the limit moved: half of it, and from there anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.windows import AHEAD_US

_US: Final = 1_000_000
_FLOOR_PER_S, _FIRST_PER_S = 1 / 60, 0.5
#: A pace is judged after so many mails, and after so many seconds at the least.
_JUDGED_MAILS, _JUDGED_S, _JUDGED_MOST_S = 8.0, 2.0, 60.0
#: A period of refusing longer than this tells of a quota, not of a pace.
_PERIOD_MOST_S: Final = 120.0
_FIRST_STEP, _STEP, _STEP_MOST = 0.3, 0.06, 0.5
_LEAST_CUT: Final = 0.03
#: Good and bad this close together: found.
_CLOSE: Final = 1.03
#: Looking up again costs a refusal: not before so many mails and seconds, and more mails where one takes over a second.
_QUIET_MAILS, _QUIET_S = 60.0, 30.0
#: A pace that has been used less than this part says nothing.
_USED: Final = 0.7
_FORGOTTEN_US: Final = 30 * 86_400 * _US
_CONNECTION_S, _CONNECTION_MAILS = 300.0, 300
#: Idle connections of workers that may have none any more are closed by then.
_CONNECTION_IDLE_US: Final = 35 * _US


@dataclass(frozen=True, slots=True)
class Recent:
    """What went through without permits: ``count`` mails since ``since_us``, by all workers, ``last_s`` of them in the last
    second."""

    count: int = 0
    since_us: int = 0
    last_s: int = 0


class Learned(BaseModel):
    """One account's. Fields of a newer release are kept.

    ``per_s`` is the pace in force (0: none); ``good`` and ``bad`` the bracket round the truth (0: unknown), ``step`` the next
    try's. ``since_us`` and ``used``: when this pace began, and the permits given since; ``cycle_us`` and ``cycle_used``:
    likewise of the cycle. ``blocked_us``: when the server began to refuse, 0 while it takes (``sure``: for going too fast);
    ``refused_us``: its last refusal; ``cut_us``: permits given before it say nothing new; ``period_s``: how long it refused at
    the most; ``quiet_us``: since when nothing was refused. ``next_us``: the next mail's turn. ``evidence`` is the server's
    line, ``learned_us`` when it said it. ``connections`` (0: unknown) changed at ``connections_us``.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    per_s: float = 0.0
    good: float = 0.0
    bad: float = 0.0
    step: float = _FIRST_STEP
    since_us: int = 0
    used: int = 0
    cycle_us: int = 0
    cycle_used: int = 0
    blocked_us: int = 0
    refused_us: int = 0
    sure: bool = True
    cut_us: int = 0
    period_s: float = 0.0
    quiet_us: int = 0
    next_us: int = 0
    evidence: str = ""
    learned_us: int = 0
    connections: int = 0
    connections_us: int = 0
    connections_used: int = 0


def slowed(
    old: Learned | None, fault: Fault, *, now_us: int, issued_us: int | None, recent: Recent, sure: bool = True
) -> tuple[Learned, str]:
    """After a refusal for going too fast, and a note for people if the pace was cut. ``recent``: how fast all workers
    went, where no pace was in force. Refusals of permits given before the last cut are echoes. ``sure`` False: the words may
    as well mean an outage, so how long it lasts says nothing of a window."""
    old = old or Learned()
    if not old.per_s:
        old = old.model_copy(update={"cycle_us": recent.since_us or now_us, "cycle_used": recent.count})
    if issued_us is not None and issued_us <= old.cut_us:
        return old.model_copy(update={"cycle_used": max(0, old.cycle_used - 1)}), ""
    seen = {"refused_us": now_us, "evidence": fault.text[:300], "learned_us": now_us, "cycle_used": max(0, old.cycle_used - 1)}
    if old.blocked_us:
        return old.model_copy(update=seen), ""
    begun = {
        **seen,
        "sure": sure,
        "blocked_us": now_us,
        "cut_us": now_us,
        "since_us": now_us,
        "used": 0,
        "step": _STEP,
        "quiet_us": now_us,
    }
    pace = old.per_s
    if not pace:
        pace = max(_FIRST_PER_S, recent.last_s / 2)
        first = {"per_s": pace, "good": 0.0, "bad": 0.0, "step": _FIRST_STEP}
        return old.model_copy(update=begun | first), f"Learning its limit: {pace:.3g} mails a second at first."
    if pace > old.good > 0:  # a try: what was good before still is
        return old.model_copy(update=begun | {"per_s": old.good, "bad": pace}), ""
    lower = max(_FLOOR_PER_S, pace * (1 - _excess(old, now_us)))
    note = f"Its limit fell: {lower:.3g} a second now." if lower < 0.9 * pace else ""
    return old.model_copy(update=begun | {"per_s": lower, "good": 0.0, "bad": pace}), note


def unblocked(old: Learned, *, now_us: int) -> tuple[Learned, str]:
    """After the first mail that was taken when the server had refused. The cycle that ends here is an estimate."""
    if not old.blocked_us:
        return old, ""
    refused_s = (now_us - old.blocked_us) / _US
    cycle_s = max(1e-3, (now_us - old.cycle_us) / _US)
    update: dict[str, object] = {
        "blocked_us": 0,
        "cycle_us": now_us,
        "cycle_used": 0,
        "since_us": now_us,
        "used": 0,
        "next_us": max(old.next_us, now_us),
    }
    if refused_s > _PERIOD_MOST_S:  # an outage, or a quota: it says nothing of the pace
        return old.model_copy(update=update | {"per_s": old.good or old.bad}), ""
    if not old.sure:
        return old.model_copy(update=update | {"period_s": min(refused_s, _JUDGED_S)}), ""
    update["period_s"] = max(refused_s, old.period_s / 2)
    # A cycle that began long before the refusal mixes what was allowed then with what is now.
    if not old.good and old.cycle_used and cycle_s <= 20 * max(1.0, refused_s):
        update["per_s"] = _within(old, old.cycle_used / cycle_s)
    return old.model_copy(update=update), ""


def granted(old: Learned, wanted: int, *, now_us: int) -> tuple[Learned, int, int, int]:
    """The state, how many mails may begin, the first one's turn and the time between two (microseconds)."""
    state = _judged(old, now_us)
    interval_us = max(1, int(_US / state.per_s))
    first_us = max(state.next_us, now_us)
    count = min(wanted, max(0, (now_us + AHEAD_US - first_us) // interval_us + 1)) if first_us <= now_us + AHEAD_US else 0
    update = {
        "next_us": first_us + count * interval_us,
        "used": state.used + count,
        "cycle_used": state.cycle_used + count,
        "connections_used": state.connections_used + count,
    }
    return state.model_copy(update=update), count, first_us, interval_us


def returned(old: Learned, count: int) -> Learned:
    """Permits that were not used. Their turns are over."""
    return old.model_copy(update={"used": max(0, old.used - count), "cycle_used": max(0, old.cycle_used - count)})


def fewer_connections(
    old: Learned | None, fault: Fault, *, now_us: int, issued_us: int | None, held: Sequence[int]
) -> tuple[Learned, str]:
    """After a refusal for too many connections: one fewer than were in use. ``held``: how many each worker may have."""
    old = old or Learned()
    settles_us = _CONNECTION_IDLE_US if sum(count > 0 for count in held) > 1 else 0  # what is idle elsewhere still counts there
    if now_us - old.connections_us < settles_us or (issued_us is not None and issued_us <= old.connections_us):
        return old, ""
    in_use = sum(held) or old.connections
    if not in_use:
        return old, ""
    most = max(1, min(in_use, old.connections or in_use) - 1)
    update = {"connections": most, "connections_us": now_us, "connections_used": 0, "evidence": fault.text[:300]}
    note = f"{most} connections from now on." if most != old.connections else ""
    return old.model_copy(update=update | {"learned_us": now_us}), note


def more_connections(old: Learned, *, now_us: int, most: int) -> Learned:
    """One more after a clean time; the same object if not yet."""
    waited = (now_us - old.connections_us) / _US >= _CONNECTION_S and old.connections_used >= _CONNECTION_MAILS
    if not old.connections or old.connections >= most or not waited:
        return old
    return old.model_copy(update={"connections": old.connections + 1, "connections_us": now_us, "connections_used": 0})


def next_turn_us(state: Learned, now_us: int) -> int | None:
    """When the next mail may be asked for, if not now."""
    if not state.per_s or state.next_us <= now_us + AHEAD_US:
        return None
    return state.next_us - AHEAD_US


def forgotten(state: Learned, now_us: int) -> bool:
    """Nothing was refused for 30 days."""
    return now_us - state.learned_us > _FORGOTTEN_US


def _judged(old: Learned, now_us: int) -> Learned:
    """The pace for now: raised if the one in force went well for long enough."""
    if old.blocked_us or not old.per_s:
        return old
    passed_s = (now_us - old.since_us) / _US
    if passed_s < _judged_s(old):
        return old
    if old.used < _USED * old.per_s * passed_s:  # too little mail to tell
        return old.model_copy(update={"since_us": now_us, "used": 0})
    good = max(old.good, old.per_s)
    waits = now_us - old.quiet_us < max(_QUIET_S, _QUIET_MAILS / min(good, good**2)) * _US
    close = 0 < old.bad <= good * _CLOSE
    if close and waits:
        return old.model_copy(update={"good": good, "per_s": good, "step": _STEP})
    bad = 0.0 if close or old.bad <= good else old.bad
    faster = good * (1 + old.step)
    pace = (good + bad) / 2 if bad and faster >= bad else faster
    step = min(_STEP_MOST, old.step * 2)
    return old.model_copy(update={"good": good, "bad": bad, "per_s": pace, "step": step, "since_us": now_us, "used": 0})


def _judged_s(state: Learned) -> float:
    """How long a pace must go well. A server lets through what has been saved up for a while (its window's worth): a small
    excess shows late."""
    excess = (state.per_s - state.good) / state.good if state.good else _STEP_MOST
    shows_s = max(1.0, state.period_s) / max(excess, _LEAST_CUT)
    return max(_JUDGED_S, _JUDGED_MAILS / state.per_s, min(shows_s, _JUDGED_MOST_S))


def _excess(state: Learned, now_us: int) -> float:
    """By how much a pace that had been good is too fast now: the sooner it was refused, the more."""
    clean_s = max(1e-3, (now_us - state.cycle_us) / _US)
    return max(_LEAST_CUT, min(max(1.0, state.period_s) / clean_s, 0.5))


def _within(old: Learned, estimate: float) -> float:
    return max(_FLOOR_PER_S, min(estimate, old.bad * 0.98) if old.bad else estimate)
