"""Why an account may not send now, and until when: its breaker, what its provider said, its pace, its windows. Pure.

A hold consumes nothing: where one is answered, no window has counted anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.allowance import Told, left
from ticketmail.domain.outbound.breaker import allowed, next_probe_us
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.outbound.clocks import is_ahead
from ticketmail.domain.outbound.learning import next_turn_us
from ticketmail.domain.outbound.resets import expected_us
from ticketmail.domain.outbound.slowdown import Slowdown
from ticketmail.domain.outbound.windows import FRESH, Window, WindowState, next_us

HoldKind = Literal["rate", "quota", "breaker", "throttle", "connections", "pause"]
#: What lasts longer than this is a quota, not a rate (microseconds).
_LONG_US: Final = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Hold:
    """Why due mail does not run. ``until_us`` None: until a human acts. ``reason`` is a sentence for people."""

    kind: HoldKind
    until_us: int | None
    cause: str
    reason: str


def hold_of(state: AccountState, limits: AccountLimits, *, now_us: int, reserve: float = 0.0) -> Hold | None:
    """Why no mail may begin now, or None. Changes nothing: for people, too."""
    return health_hold(state, now_us) or _pace_hold(state, now_us) or _window_hold(state, limits, now_us, reserve)


def stopped_since(state: AccountState, issued_us: int, now_us: int) -> bool:
    """Whether the account has begun to be held after that permit was given: what has not left yet would only be refused."""
    slowdowns = [one for one in (state.throttle, state.quota) if one is not None]
    opened = state.breaker.phase == "open" and now_us < state.breaker.until_us
    return opened or any(issued_us <= one.since_us for one in slowdowns)


def health_hold(state: AccountState, now_us: int) -> Hold | None:
    """What holds an account apart from its own windows: breaker, the provider's quota, a throttle, the provider's own figures."""
    if allowed(state.breaker, now_us) == 0:
        probing = " One mail is being tried." if state.breaker.phase == "half-open" else ""
        sentence = f"{cause_of(state.breaker.cause).sentence}{probing}"
        return Hold("breaker", next_probe_us(state.breaker, now_us), state.breaker.cause, sentence)
    quota, throttle = state.quota, state.throttle
    if quota is not None and (until_us := _end_us(quota, now_us)):
        return Hold("quota", until_us, quota.cause, cause_of(quota.cause).sentence)
    if throttle is not None and (until_us := _end_us(throttle, now_us)):
        long = throttle.until_us - throttle.since_us > _LONG_US  # by the server's word: another account may take over
        return Hold("quota" if long else "throttle", until_us, throttle.cause, cause_of(throttle.cause).sentence)
    return _told_hold(state.told, now_us)


def back_us(state: AccountState, now_us: int) -> int | None:
    """When mail may go by the account again, its own limits apart, as far as that is known. None: it has stopped, and only a try
    will tell whether its server, its login or its quota is well again."""
    return None if state.breaker.phase == "open" else quota_back_us(state, now_us)


def quota_back_us(state: AccountState, now_us: int) -> int | None:
    """When the provider's quota has room at the latest, as far as it is known: ``now_us`` if it is not used up, the end that the
    server named, the reset that was learned. None: it is used up, and only a try now and then will tell."""
    quota = state.quota
    if quota is None or is_ahead(quota.refused_us, now_us):
        return now_us
    if quota.named:
        return max(now_us, quota.until_us)
    expected = expected_us(state.resets, quota.since_us)
    return expected[1] if expected is not None and expected[1] > now_us else None


def _end_us(slowdown: Slowdown, now_us: int) -> int:
    """Until when nothing goes; 0: it may, or that was noted by a clock that has been set back since."""
    until_us = max(slowdown.until_us, slowdown.probe_until_us)
    return until_us if now_us < until_us and not is_ahead(slowdown.refused_us, now_us) else 0


def _told_hold(told: Told | None, now_us: int) -> Hold | None:
    if told is None or left(told, now_us) != 0:
        return None
    kind: HoldKind = "quota" if told.reset_us - told.told_us > _LONG_US else "rate"
    of_limit = f" (it takes {told.limit} from one reset to the next)" if told.limit else ""
    return Hold(kind, told.reset_us, "limit-told", f"The provider said that no more mail goes until its reset{of_limit}.")


def _pace_hold(state: AccountState, now_us: int) -> Hold | None:
    turn_us = next_turn_us(state.learned, now_us) if state.learned is not None else None
    if state.learned is None or turn_us is None:
        return None
    sentence = f"The server takes about {state.learned.pace:.3g} mails a second, as it taught by refusing more."
    return Hold("rate", turn_us, "limit-learned", sentence)


def _window_hold(state: AccountState, limits: AccountLimits, now_us: int, reserve: float) -> Hold | None:
    """The window that frees a place last, of those that have none."""
    worst: Hold | None = None
    for window in limits.ours:
        hold = used_up(window, state.windows.get(window.key, FRESH), now_us, reserve)
        if hold.until_us is not None and hold.until_us > (worst.until_us or 0 if worst else now_us):
            worst = hold
    return worst


def amount_hold(
    state: AccountState, limits: AccountLimits, *, recipients: int, size_bytes: int, now_us: int
) -> tuple[Window, Hold] | None:
    """The window that lacks room for a mail of so many recipients and bytes longest, and until when; None: all have it."""
    amounts = {"recipients": recipients, "bytes": size_bytes, "messages": 1}
    found: list[tuple[Window, Hold]] = []
    for window in limits.ours:
        least = min(max(1, amounts[window.unit]), window.burst if window.kind == "smooth" else window.limit)
        hold = used_up(window, state.windows.get(window.key, FRESH), now_us, 0.0, least)
        if hold.until_us is not None and hold.until_us > now_us:
            found.append((window, hold))
    return max(found, key=lambda one: one[1].until_us or 0, default=None)


def used_up(window: Window, state: WindowState, now_us: int, reserve: float, amount: int = 1) -> Hold:
    """Until ``amount`` may go in the window. ``reserve``: the part of it that is left to other lanes."""
    kind: HoldKind = "rate" if window.period_s < 3600 else "quota"
    until_us = next_us(window, state, now_us, reserve=reserve, amount=amount)
    cause = "limit-rate" if kind == "rate" else "limit-quota"
    return Hold(kind, until_us, cause, f"The account's limit of {window} is used up.")
