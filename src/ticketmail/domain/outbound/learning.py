"""What a mail server taught: the pace it bears, found from its refusals. Pure.

A *cycle* goes from one end of refusing to the next. What went through in it, over its length, is what the server bears in the
long run, whatever its window is: the first estimate. From there the pace gallops up in steps that double and falls back to the
last good one at a refusal; between a good and a bad pace the middle is tried until they are close. Then it holds, and looks up
again now and then. A refusal at a pace that had been good is a fall: a new estimate, and what was good before is remembered
and looked for soon, for it may have been a neighbour's burst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.outbound.clocks import is_ahead
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.windows import AHEAD_US

_US: Final = 1_000_000
_FLOOR_PER_S, _FIRST_PER_S = 1 / 60, 0.5
#: A pace is judged after so many mails, and after so many seconds at the least. A look, which may use what a server let us save
#: up, after more.
_JUDGED_MAILS, _JUDGED_S, _JUDGED_MOST_S = 8.0, 2.0, 60.0
_LOOK_MAILS, _LOOK_S = 16.0, 4.0
#: A period of refusing longer than this tells of a quota, not of a pace.
_PERIOD_MOST_S: Final = 120.0
_FIRST_STEP, _STEP, _STEP_MOST = 0.3, 0.06, 0.5
_LEAST_CUT: Final = 0.03
#: Good and bad this close together: found.
_CLOSE: Final = 1.03
#: Looking up again costs a refusal: not before so many mails and seconds, and more mails where one takes over a second.
_QUIET_MAILS, _QUIET_S = 90.0, 30.0
#: A look is bold every other time, for a limit that was raised shows sooner at more.
_BOLD: Final = 1.5
#: What was good before a fall is looked for after so many seconds, and mails that were gained by it; each further time half as
#: late again, and so often. It must be this much better.
_RETURN_S, _RETURN_MAILS, _LATER, _RETURNS, _BETTER = 2.0, 75.0, 1.5, 7, 1.25
#: A slow account, which never looks boldly, looks for it for a day more, after so many mails.
_ONCE_MAILS, _ONCE_US = 120.0, 86_400 * _US
#: After a try was refused, what is good goes on for so many of the server's windows.
_RESTS: Final = 10
#: Slower than this each refusal is a large part of the mails: it looks up carefully, and in small steps. Here, and where a try
#: that was refused cost several refusals, the next one waits for so many mails a refusal.
_SLOW_PER_S, _TRY_MAILS, _SLOW_STEP = 0.7, 50.0, 0.12
#: A pace that has been used less than this part says nothing.
_USED: Final = 0.7
_FORGOTTEN_US: Final = 30 * 86_400 * _US


@dataclass(frozen=True, slots=True)
class Recent:
    """What went through without permits: ``count`` mails of this ``worker`` since ``since_us``; ``last_s`` in the last second, by
    all workers."""

    count: int = 0
    since_us: int = 0
    last_s: int = 0
    worker: str = ""


class Learned(BaseModel):
    """One account's. Fields of a newer release are kept.

    ``per_s`` is the pace in force (0: none); ``good`` and ``bad`` the bracket round the truth (0: unknown), ``step`` the next
    try's. ``since_us`` and ``used``: when this pace began, and the permits given since; ``cycle_us`` and ``cycle_used``:
    likewise of the cycle. ``blocked_us``: when the server began to refuse, 0 while it takes (``sure``: for going too fast);
    ``refused_us``: its last refusal; ``cut_us``: permits given before it say nothing new; ``period_s``: how long it refused at
    the most; ``quiet_us``: since when nothing was refused; ``spent``: a try has just been refused, ``cost`` mails in all.
    ``counted``: workers whose mails are in a first cycle that began without permits.
    ``back``: the pace to go back to from a look that is under way (0: none is); ``looked_us``: when the last one for more than
    ever began. ``was`` and ``was_bad``: the bracket before the fall at ``fell_us``, if it is looked for (0: it is not);
    ``looks``: those that were refused since. ``once``: what was good before, and looked for in vain so often. ``next_us``: the
    next mail's turn. ``evidence`` is the server's line, ``learned_us`` when it said it. ``connections`` (0: unknown) changed at
    ``connections_us``, upwards if they were ``connections_tried``; since then a worker used all of its own
    ``connections_used`` times. ``connections_refused``: so often has one more been refused, one after another.
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
    spent: bool = False
    cost: int = 0
    counted: tuple[str, ...] = ()
    back: float = 0.0
    looked_us: int = 0
    was: float = 0.0
    was_bad: float = 0.0
    fell_us: int = 0
    looks: int = _RETURNS
    once: float = 0.0
    next_us: int = 0
    evidence: str = ""
    learned_us: int = 0
    connections: int = 0
    connections_us: int = 0
    connections_used: int = 0
    connections_tried: bool = False
    connections_refused: int = 0

    @property
    def pace(self) -> float:
        """Mails a second, but for a look that is under way. 0: none is known."""
        return self.back or self.per_s


def slowed(
    old: Learned | None, fault: Fault, *, now_us: int, issued_us: int | None, recent: Recent, sure: bool = True
) -> tuple[Learned, str]:
    """After a refusal for going too fast, and a note for people if the pace was cut. ``recent``: how fast all workers
    went, where no pace was in force. Refusals of permits given before the last cut are echoes. ``sure`` False: the words may
    as well mean an outage, so how long it lasts says nothing of a window."""
    old = old or Learned()
    if not old.per_s:
        old = old.model_copy(
            update={"cycle_us": recent.since_us or now_us, "cycle_used": recent.count, "counted": (recent.worker,)}
        )
    elif _first_cycle(old) and recent.worker not in old.counted:
        update = {"cycle_us": min(old.cycle_us, recent.since_us or now_us), "counted": (*old.counted, recent.worker)}
        old = old.model_copy(update=update | {"cycle_used": old.cycle_used + recent.count})
    if issued_us is not None and issued_us <= old.cut_us:
        return old if _first_cycle(old) else old.model_copy(update={"cycle_used": max(0, old.cycle_used - 1)}), ""
    seen: dict[str, object] = {"refused_us": now_us, "evidence": fault.text[:300], "learned_us": now_us}
    seen["cycle_used"] = max(0, old.cycle_used - 1)
    if old.blocked_us:
        return old.model_copy(update=seen | {"cost": old.cost + 1}), ""
    seen |= {
        "sure": sure,
        "blocked_us": now_us,
        "cut_us": now_us,
        "since_us": now_us,
        "used": 0,
        "step": _STEP,
        "quiet_us": now_us,
        "cost": 1,
    }
    if not old.per_s:
        pace = max(_FIRST_PER_S, recent.last_s / 2)
        first = {"per_s": pace, "good": 0.0, "bad": 0.0, "step": _FIRST_STEP, "looked_us": now_us}
        return old.model_copy(update=seen | first), f"Learning its limit: {pace:.3g} mails a second at first."
    if old.back:
        return old.model_copy(update=seen | _looked_in_vain(old, now_us) | {"spent": True}), ""
    if old.per_s > old.good > 0:  # a try: what was good before still is
        return old.model_copy(update=seen | {"per_s": old.good, "bad": old.per_s, "spent": True}), ""
    seen["spent"] = False
    if old.spent and old.good and now_us - old.cycle_us < 2 * _window_s(old) * _US:  # what the try had spent is not free yet
        return old.model_copy(update=seen), ""
    fallen = old.model_copy(update=seen | _fallen(old, now_us))
    return fallen, f"Its limit fell: {fallen.per_s:.3g} a second now." if fallen.per_s < 0.9 * old.per_s else ""


def taken_late(old: Learned, issued_us: int | None) -> Learned:
    """After a mail was taken that had left without a permit before the first refusal: the same object if it is no such mail."""
    if not _first_cycle(old) or issued_us is None or issued_us > old.cut_us:
        return old
    return old.model_copy(update={"cycle_used": old.cycle_used + 1})


def unblocked(old: Learned, *, now_us: int) -> tuple[Learned, str]:
    """After the first mail that was taken when the server had refused. The cycle that ends here is an estimate."""
    if not old.blocked_us:
        return old, ""
    refused_s = (now_us - old.blocked_us) / _US
    cycle_s = max(1e-3, (now_us - old.cycle_us) / _US)
    update: dict[str, object] = {"blocked_us": 0, "since_us": now_us, "used": 0, "next_us": max(old.next_us, now_us)}
    ends = bool(old.good) or not old.bad or old.cycle_used >= _JUDGED_MAILS  # fewer mails are no measure: the cycle goes on
    if ends:
        update |= {"cycle_us": now_us, "cycle_used": 0}
    if refused_s > _PERIOD_MOST_S:  # an outage, or a quota: it says nothing of the pace
        return old.model_copy(update=update | {"per_s": old.good or old.bad}), ""
    if not old.sure:
        return old.model_copy(update=update | {"period_s": min(refused_s, _JUDGED_S)}), ""
    update["period_s"] = max(refused_s, old.period_s / 2)
    # A cycle that began long before the refusal mixes what was allowed then with what is now.
    if ends and not old.good and old.cycle_used and cycle_s <= 20 * max(1.0, refused_s):
        update["per_s"] = _within(old, old.cycle_used / cycle_s)
        if old.bad:  # of how few mails the estimate is made is how wrong it may be
            update["step"] = min(_FIRST_STEP, max(_STEP, 1 / old.cycle_used))
    return old.model_copy(update=update), ""


def granted(old: Learned, wanted: int, *, now_us: int) -> tuple[Learned, int, int, int]:
    """The state, how many mails may begin, the first one's turn and the time between two (microseconds)."""
    state = _judged(old, now_us)
    interval_us = max(1, int(_US / state.per_s))
    first_us = max(_turn_us(state, now_us), now_us)
    count = min(wanted, max(0, (now_us + AHEAD_US - first_us) // interval_us + 1)) if first_us <= now_us + AHEAD_US else 0
    update = {
        "next_us": first_us + count * interval_us,
        "used": state.used + count,
        "cycle_used": state.cycle_used + count,
    }
    return state.model_copy(update=update), count, first_us, interval_us


def returned(old: Learned, count: int) -> Learned:
    """Permits that were not used. Their turns are over."""
    return old.model_copy(update={"used": max(0, old.used - count), "cycle_used": max(0, old.cycle_used - count)})


def next_turn_us(state: Learned, now_us: int) -> int | None:
    """When the next mail may be asked for, if not now."""
    turn_us = _turn_us(state, now_us)
    return None if not state.per_s or turn_us <= now_us + AHEAD_US else turn_us - AHEAD_US


def _turn_us(state: Learned, now_us: int) -> int:
    """The next mail's turn; now, if it was given by a clock that has been set back since."""
    furthest_us = now_us + AHEAD_US + int(_US / state.per_s) if state.per_s else now_us
    return now_us if is_ahead(state.next_us, furthest_us) else state.next_us


def forgotten(state: Learned, now_us: int) -> bool:
    """Nothing was refused for 30 days."""
    return now_us - state.learned_us > _FORGOTTEN_US


def hold_s(state: Learned) -> float:
    """How long to send nothing after a refusal, at first: until the next mail's turn, or a part of the server's window."""
    known = bool(state.good or state.was)
    return min(10.0, max(0.25, 1 / state.per_s, state.period_s / 4)) if known else 1.0


def _judged(old: Learned, now_us: int) -> Learned:
    """The pace for now: raised if the one in force went well for long enough, or if it is time to look for more."""
    if old.blocked_us or not old.per_s:
        return old
    look = 0.0 if old.back else _return(old, now_us) or _look(old, now_us)
    if look:
        begun = {"back": min(old.per_s, old.good or old.per_s), "per_s": look, "since_us": now_us, "used": 0}
        begun |= {"looked_us": old.looked_us if look in (old.was, old.once) else now_us}
        return old.model_copy(update=begun | {"next_us": min(old.next_us, now_us + int(_US / look))})
    passed_s = (now_us - old.since_us) / _US
    if passed_s < _judged_s(old):
        return old
    if old.used < _USED * old.per_s * passed_s:  # too little mail to tell
        return old.model_copy(update={"since_us": now_us, "used": 0})
    return _faster(_found(old) if old.back else old, now_us)


def _faster(old: Learned, now_us: int) -> Learned:
    """The pace in force is good: the next one, or the same if what is too fast is close."""
    good = max(old.good, old.per_s)
    if _close(good, old.bad):
        was = old.was if old.was > _BETTER * good else 0.0
        return old.model_copy(update={"good": good, "per_s": good, "step": _STEP, "was": was})
    bad = 0.0 if old.bad <= good else old.bad
    faster = good * (1 + old.step)
    pace = (good + bad) / 2 if bad and faster >= bad else faster
    step = min(_SLOW_STEP if _slow(old) and _careful(old) else _STEP_MOST, old.step * 2)
    return old.model_copy(update={"good": good, "bad": bad, "per_s": pace, "step": step, "since_us": now_us, "used": 0})


def _return(state: Learned, now_us: int) -> float:
    """What was good before a fall, if it is time to look for it; else 0."""
    if state.was <= _BETTER * state.per_s:
        return 0.0
    waits_s = min(_RETURN_S * _LATER**state.looks, _QUIET_S)
    waits_s = max(waits_s, _RETURN_MAILS / (state.was - state.per_s))
    return state.was if (now_us - state.quiet_us) / _US >= waits_s else 0.0


def _look(state: Learned, now_us: int) -> float:
    """More than is known to be good, boldly and carefully in turn, if it is time to look for it; else 0. Bursts of a neighbour
    may leave no time to find a bracket, or one that was true in a burst only: a bold look ends that."""
    if not state.good:
        return 0.0
    waits_s = max(_QUIET_S, _QUIET_MAILS / min(state.good, state.good**2)) * _out_of_step(state.looked_us)
    looked_s, quiet_s = (now_us - state.looked_us) / _US, (now_us - state.quiet_us) / _US
    once = _slow(state) and state.once > _BETTER * state.good and not state.was and now_us - state.fell_us < _ONCE_US
    if once and quiet_s >= _ONCE_MAILS / state.good:
        return state.once
    if looked_s < waits_s or quiet_s < waits_s / 6 or state.was > _BETTER * state.per_s:
        return 0.0
    if _close(state.good, state.bad):
        return state.good * (_BOLD if state.looks % 2 and not _slow(state) else 1 + _STEP)
    fell = state.fell_us > state.looked_us and looked_s > 2 * max(waits_s, state.period_s)
    return state.good * _BOLD if fell else 0.0


def _out_of_step(at_us: int) -> float:
    """1 to 1.5, by chance, for which the last digits of a moment stand: else looks keep step with a neighbour that has its own
    rhythm, and always meet its bursts."""
    return 1 + at_us // 1000 % 1000 / 2000


def _found(old: Learned) -> Learned:
    """A look went well: that is what was good before, or there is more."""
    bad, step = old.was_bad if old.was else 0.0, _STEP if _slow(old) else _STEP_MOST
    once = old.once if old.once > old.per_s else 0.0
    return old.model_copy(update={"bad": bad, "was": 0.0, "once": once, "back": 0.0, "looks": _RETURNS, "step": step})


def _looked_in_vain(old: Learned, now_us: int) -> dict[str, object]:
    """Back to the pace before the look. What was good before, and went well for many mails now, is too fast by a little: the
    burst is over, and the rest of it is good."""
    tried_s, window_s = (now_us - old.since_us) / _US, _window_s(old)
    borne = old.was * (1 - window_s / tried_s) if old.per_s == old.was and tried_s > 2 * window_s else 0.0
    if borne > _BETTER * old.back and old.used >= _TRY_MAILS:
        return {"per_s": borne, "good": borne, "bad": old.per_s, "back": 0.0, "step": _STEP, "looks": _RETURNS, "was": 0.0}
    looks, was = old.looks + 1, borne or old.was
    was, once = (was, old.once) if looks < _RETURNS else (0.0, max(was, old.once))
    return {"per_s": old.back, "back": 0.0, "step": old.step, "looks": looks, "was": was, "once": once}


def _fallen(old: Learned, now_us: int) -> dict[str, float]:
    """Slower than what had been good, which is remembered."""
    lower = max(_FLOOR_PER_S, old.per_s * (1 - _excess(old, now_us)))
    remembered = {"was": old.good, "was_bad": old.bad, "looks": 0} if old.good > old.was else {}
    return {"per_s": lower, "good": 0.0, "bad": old.per_s, "fell_us": now_us} | remembered


def _judged_s(state: Learned) -> float:
    """How long a pace must go well. A server lets through what has been saved up for a while (its window's worth): a small
    excess shows late."""
    known = state.back or state.good
    if state.per_s == state.good:
        dear = state.spent and (_slow(state) or state.cost > 1)
        mails = _TRY_MAILS * max(1, state.cost) if dear else _JUDGED_MAILS
        return max(min(_RESTS * _window_s(state), _JUDGED_MOST_S), mails / state.per_s)
    excess = (state.per_s - known) / known if known else _STEP_MOST
    shows_s = _window_s(state) / max(excess, _LEAST_CUT)
    least_s = max(_LOOK_S, _LOOK_MAILS / state.per_s) if state.back else _JUDGED_S
    if _slow(state) and (state.back or _careful(state)):  # what a server lets a slow account save up lasts for long
        return _JUDGED_MOST_S
    return max(least_s, _JUDGED_MAILS / state.per_s, min(shows_s, _JUDGED_MOST_S))


def _excess(state: Learned, now_us: int) -> float:
    """By how much a pace that had been good is too fast now: the sooner it was refused, the more."""
    clean_s = max(1e-3, (now_us - state.cycle_us) / _US)
    return max(_LEAST_CUT, min(_window_s(state) / clean_s, 0.5))


def _window_s(state: Learned) -> float:
    """The server's window, as far as it showed."""
    return max(1.0, state.period_s)


def _first_cycle(state: Learned) -> bool:
    """The server refuses for the first time: before that nobody counted."""
    return bool(state.blocked_us) and not state.good and not state.bad


def _careful(state: Learned) -> bool:
    """It looks for more than was known for a while, and nothing has been too fast yet."""
    return not state.bad and state.step <= _SLOW_STEP


def _slow(state: Learned) -> bool:
    return state.pace < _SLOW_PER_S


def _close(good: float, bad: float) -> bool:
    return 0 < bad <= good * _CLOSE


def _within(old: Learned, estimate: float) -> float:
    return max(_FLOOR_PER_S, min(estimate, old.bad * 0.98) if old.bad else estimate)
