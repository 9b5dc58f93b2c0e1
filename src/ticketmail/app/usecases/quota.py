"""Alarms about quotas: used up (with the reset, and how many wait for it), and nearly used up (with when it will be). Looked for
once a minute by any worker; both are over when there is room again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.usecases.report.holds import Surroundings
from ticketmail.app.usecases.report.outlook import Outlook
from ticketmail.app.usecases.report.times import Times, span
from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.holds import health_hold, quota_back_us
from ticketmail.domain.outbound.slowdown import Slowdown
from ticketmail.domain.outbound.windows import Window, WindowState, next_us, pending

#: From this part of a day's quota on it is nearly used up; below the second it is over.
NEARLY: Final = 0.9
OVER_BELOW: Final = 0.85
DAY_S: Final = 86_400.0
_FREE: Final = "the next place is free"
#: A quota that the server called used up is over when a mail is taken; if none comes to try, so long after its last refusal.
_FORGOTTEN_US: Final = int(DAY_S * 1e6)
USED_UP, NEARLY_SO = "quota-used-up", "quota-nearly"


class QuotaAlarms:
    """Raises and resolves them. ``times`` are how moments are said at a now."""

    def __init__(self, alerts: Alerts, times: Callable[[int], Times] = Times) -> None:
        self._alerts = alerts
        self._times = times

    async def look(self, around: Surroundings, told: Collection[str]) -> None:
        """One look at all accounts of the settings. ``told`` are the fingerprints of alarms that there are."""
        times = self._times(around.now_us)
        outlook = Outlook(around, times)
        for name in around.facts.accounts:
            state = around.state(name)
            day = [one for one in around.limits(name).ours if one.period_s >= DAY_S]
            part = max((_used(one, state, around.now_us) / one.limit for one in day), default=0.0)
            ended = _ended(day, state, around.now_us)
            if ended is not None or part < NEARLY:  # one place that is free for a moment does not end it
                text = _used_up(name, *ended, outlook.waiting_for(name), times) if ended is not None else ""
                await self._settle(name, USED_UP, "page", "the quota is used up", text, told)
            if part >= NEARLY or part < OVER_BELOW:
                text = " ".join(
                    _nearly(one, state, times) for one in day if _used(one, state, times.now_us) >= NEARLY * one.limit
                )
                await self._settle(name, NEARLY_SO, "warn", "the quota is nearly used up", text, told)

    async def _settle(
        self, name: str, what: str, level: Literal["page", "warn"], title: str, text: str, told: Collection[str]
    ) -> None:
        """Raise it if there is a ``text``, else resolve it if it was told."""
        fingerprint = f"{what}:{name}"
        if text:
            full = f"Account {name}: {title}"
            await self._alerts.occurred(fingerprint, level=level, title=full, text=text, accounts=(name,))
        elif fingerprint in told:
            await self._alerts.over(fingerprint, text="There is room again.")


def _ended(windows: Sequence[Window], state: AccountState, now_us: int) -> tuple[str, str, int] | None:
    """Why no more goes today, what comes then, and when (UTC microseconds): the server's word, or a window of a day or longer."""
    quota, held = state.quota, health_hold(state, now_us)
    if quota is not None and 0 <= now_us - quota.refused_us < _FORGOTTEN_US:
        then, until_us = _then(state, quota, now_us)
        return f"The server said {quota.reason or quota.cause}", then, until_us
    if held is not None and held.cause == "limit-told" and held.kind == "quota" and held.until_us is not None:
        return held.reason, _FREE, held.until_us
    ends = [(next_us(one, state.windows.get(one.key, WindowState()), now_us), str(one)) for one in windows]
    until_us, window = max(ends, default=(0, ""))
    return (f"{window} are used", _FREE, until_us) if until_us > now_us else None


def _then(state: AccountState, quota: Slowdown, now_us: int) -> tuple[str, int]:
    """What comes next, and when."""
    back_us = quota_back_us(state, now_us)
    if back_us is None:
        return "when it resets is not known; one mail is tried", quota.until_us
    named = "it should have room again" if back_us > now_us else "one mail is tried"
    return named, back_us


def _used_up(name: str, why: str, then: str, until_us: int, waiting: dict[str, int], times: Times) -> str:
    lanes = ", ".join(f"{count} {lane}" for lane, count in sorted(waiting.items()))
    stranded = f"{sum(waiting.values())} mails wait for it ({lanes})" if waiting else "Nothing waits for it"
    at = f"at {times.full(until_us)}, {times.ago(until_us)}" if until_us > times.now_us else "as soon as one is due"
    return f"{why.rstrip('.')}; {then} {at}. {stranded}. Nothing is lost; `ticketmail limits {name}` shows it."


def _nearly(window: Window, state: AccountState, times: Times) -> str:
    used = _used(window, state, times.now_us)
    text = f"{used} of {window} are used"
    lately, within_s = _lately(window, state, times.now_us)
    if lately <= 0 or used >= window.limit:
        return f"{text}."
    left_s = (window.limit - used) * within_s / lately
    at_us = times.now_us + int(left_s * 1e6)
    return f"{text}; at the pace of the last {span(within_s)} it is used up at {times.full(at_us)}."


def _lately(window: Window, state: AccountState, now_us: int) -> tuple[int, float]:
    """How much was used within the last twelfth of a rolling window, or since a calendar window began; and that time, seconds."""
    counting = _counting(window, state, now_us)
    if window.kind == "calendar":
        return sum(count for _, count in counting), max(
            1.0, window.period_s - (counting[-1][0] - now_us) / 1e6
        ) if counting else 1.0
    within_s = window.period_s / 12
    since_us = now_us + int((window.period_s - within_s) * 1e6)
    return sum(count for leaves_us, count in counting if leaves_us > since_us), within_s


def _used(window: Window, state: AccountState, now_us: int) -> int:
    return sum(count for _, count in _counting(window, state, now_us))


def _counting(window: Window, state: AccountState, now_us: int) -> tuple[tuple[int, int], ...]:
    return pending(window, state.windows.get(window.key, WindowState()), now_us)
