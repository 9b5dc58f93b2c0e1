"""When a quota comes back, learned from when it came back before. Pure.

A reset is only known to lie between the last try that was refused and the first that was taken. Two of them bound the time from
one reset to the next, and so the next one; a try in the middle of where it must be halves what is not known.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

_US: Final = 1_000_000
#: What comes back sooner is a pace rather than a quota, and is tried for as if nothing were known.
_LEAST_S: Final = 60.0
_USUAL_S: Final = (86_400.0, 3600.0)
#: Bounds further apart than this part of the time between resets are no knowledge.
_VAGUE: Final = 0.4
#: A reset that is known to this part of the time between two, and to so many seconds, is waited for, not halved any more.
_EXACT, _EXACT_S = 1 / 50, 300.0
#: A quota that is used up sooner than this, or than half of the last wait between two tries, was free in a small part.
_LASTS_S: Final = 30.0


class Resets(BaseModel):
    """The last reset came after ``after_us`` and before ``before_us``; from one to the next it takes ``least_s`` to ``most_s``
    (0: unknown)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    after_us: int
    before_us: int
    least_s: float = 0.0
    most_s: float = 0.0


def came_back(old: Resets | None, *, after_us: int, before_us: int) -> Resets:
    """After a reset between the two."""
    seen = Resets(after_us=after_us, before_us=before_us)
    if old is None:
        return seen
    least_s, most_s = (after_us - old.before_us) / _US, (before_us - old.after_us) / _US
    if old.most_s:  # days on which nothing was used up lie between
        days = max(1, round((least_s + most_s) / (old.least_s + old.most_s)))
        if days * (old.most_s - old.least_s) > old.least_s:  # or one more, or one fewer
            return seen
        least_s, most_s = max(least_s / days, old.least_s), min(most_s / days, old.most_s)
    usual_s = next((one for one in _USUAL_S if least_s <= one <= most_s), 0.0)
    if usual_s:
        least_s = most_s = usual_s
    if least_s < _LEAST_S or most_s < least_s or most_s - least_s > _VAGUE * most_s:
        return seen
    expected = expected_us(old, after_us) if old.most_s else None
    if expected is not None and expected[0] < before_us:  # it is known twice
        seen = seen.model_copy(update={"after_us": max(after_us, expected[0])})
    return seen.model_copy(update={"least_s": least_s, "most_s": most_s})


def expected_us(resets: Resets | None, now_us: int) -> tuple[int, int] | None:
    """Between when the next reset comes (the second is after ``now_us``); None: that is not known."""
    if resets is None or not resets.most_s:
        return None
    since_us = max(0, now_us - resets.before_us)
    times = int(since_us // (resets.most_s * _US)) + 1
    from_us = resets.after_us + int(times * resets.least_s * _US)
    return from_us, max(from_us + 1, resets.before_us + int(times * resets.most_s * _US))


def lasted(resets: Resets, since_us: int) -> bool:
    """Whether it had come back as a whole, and not in a small part, when it was used up again at ``since_us``."""
    return since_us - resets.before_us >= max(_LASTS_S * _US, (resets.before_us - resets.after_us) / 2)


def try_us(resets: Resets | None, *, since_us: int, now_us: int) -> int | None:
    """When to try for the next reset after ``since_us``, when the quota was used up. None: that is not known, or it should
    have come already."""
    expected = expected_us(resets, since_us)
    if resets is None or expected is None or expected[1] <= now_us:
        return None
    from_us, to_us = max(expected[0], now_us), expected[1]
    exact_us = int(min(_EXACT * resets.most_s, _EXACT_S) * _US)
    return to_us if to_us - from_us <= exact_us else (from_us + to_us) // 2
