"""What came of a mail, to the account it went by: breaker, holds, and what the server taught. Pure."""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.allowance import Allowance, heard, left
from ticketmail.domain.outbound.breaker import IN_A_ROW, after_fault, after_success, retried
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.learning import Recent, hold_s, slowed, taken_late, unblocked
from ticketmail.domain.outbound.learning_connections import refused_connection
from ticketmail.domain.outbound.resets import came_back
from ticketmail.domain.outbound.slowdown import Slowdown, out_of_quota, throttled
from ticketmail.domain.units import format_duration

MENDED_BY_HUMANS_S: Final = 300.0  #: a login or setting that is wrong is tried again so often
REPUTATION_S: Final = 900.0
_THROTTLES: Final = frozenset({"throttled-rate", "throttled-connections"})
#: Words that servers also use for a limit they do not name; what lasts longer than this is an outage (microseconds).
OUTAGE_US: Final = 60_000_000
_MAYBE_THROTTLES: Final = frozenset({"gateway-busy", "gateway-full"})
NOTHING_WENT: Final = Recent()
_QUOTAS: Final = frozenset({"quota", "sender-mailbox-full"})


def settle_fault(
    state: AccountState,
    fault: Fault,
    *,
    now_us: int,
    jitter: float,
    permits_issued_us: int | None = None,
    recent: Recent = NOTHING_WENT,
) -> tuple[AccountState, str]:
    """What a fault means to the account, and a note for the history ('' if people need not know).

    Faults of recipient and message change nothing. Faults that only a human mends (``alarm``) open the breaker at once, others
    by count; an UNKNOWN counts too: where every answer is lost, sending on would only make copies. ``permits_issued_us``: when
    the refused mail's permit was given; refusals of permits older than the hold that is in force are echoes of it, and do not
    prolong it. ``recent``: how fast mails went, by all workers, where nobody gave permits.
    """
    if fault.scope not in (FaultScope.ACCOUNT, FaultScope.GATEWAY):
        return state, ""
    if fault.cause in _QUOTAS:
        quota, note = out_of_quota(state.quota, fault, now_us=now_us, jitter=jitter, resets=state.resets)
        return (state if quota is state.quota else state.model_copy(update={"quota": quota})), note
    if fault.cause in _THROTTLES or _may_mean_too_fast(state, fault, now_us, recent):
        return _throttled(state, fault, now_us, jitter, permits_issued_us, recent)
    state, note = _counted(state, fault, now_us, jitter)
    if fault.advice is not Advice.WAIT or state.breaker.phase == "open":
        return state, note
    # A server that only asks to come back later is left alone until then, breaker or not.
    if fault.retry_after_s is None:
        return state, note
    throttle, slower = throttled(state.throttle, fault, now_us=now_us, jitter=jitter, issued_us=permits_issued_us)
    return (state if throttle is state.throttle else state.model_copy(update={"throttle": throttle})), note or slower


def settle_change(state: AccountState) -> AccountState:
    """After the account's settings changed: what an open breaker waits for may be mended. The same object if nothing is."""
    breaker = retried(state.breaker)
    return state if breaker is state.breaker else state.model_copy(update={"breaker": breaker})


def settle_success(state: AccountState, *, now_us: int, permits_issued_us: int | None = None) -> tuple[AccountState, str]:
    """A mail was taken. Returns the same object where nothing changed, so that nothing need be written. A mail whose permit is
    older than a hold says nothing about the hold."""
    breaker, note = after_success(state.breaker, now_us=now_us)
    update: dict[str, object] = {} if breaker is state.breaker else {"breaker": breaker}
    if state.quota is not None and _is_over(state.quota, now_us, permits_issued_us):
        note = note or f"Sending again: the quota that was used up {_ago(state.quota, now_us)} ago has room."
        update["quota"] = None
        update["resets"] = came_back(state.resets, after_us=state.quota.refused_us, before_us=now_us)
    learned = state.learned and taken_late(state.learned, permits_issued_us)
    if _is_over(state.throttle, now_us, permits_issued_us):
        update["throttle"] = None
        if learned is not None:
            learned, told = unblocked(learned, now_us=now_us)
            note = note or told
    if learned is not state.learned:
        update["learned"] = learned
    return (state.model_copy(update=update), note) if update else (state, "")


def settle_allowance(state: AccountState, said: Allowance, *, now_us: int) -> AccountState:
    """The provider said what it still takes. The same object if that is known."""
    # A worker has claimed the next mail of each connection already; who was given no permit lately has nothing on its way.
    sending = (lease.held for worker, lease in state.leases.items() if lease.until_us > now_us and worker in state.blocks)
    in_flight = 2 * sum(sending)
    told = heard(state.told, said, now_us=now_us, in_flight=in_flight)
    return state if told is state.told else state.model_copy(update={"told": told})


def _throttled(
    state: AccountState, fault: Fault, now_us: int, jitter: float, issued_us: int | None, recent: Recent
) -> tuple[AccountState, str]:
    if left(state.told, now_us) == 0:  # the provider's own figures say when to go on: there is nothing to find out
        return state, ""
    if fault.cause == "throttled-connections":
        met = refused_connection(state.learned, state.leases, fault, worker=recent.worker, now_us=now_us, tried_us=issued_us)
        if met.others and met.learned is state.learned:
            return state, ""
        if met.others:  # they go on, whatever the server's documents say of waiting
            return state.model_copy(update={"learned": met.learned, "leases": met.leases}), met.note
        learned, note = met.learned, met.note
    else:
        sure = fault.cause in _THROTTLES
        learned, note = slowed(state.learned, fault, now_us=now_us, issued_us=issued_us, recent=recent, sure=sure)
    least_s = hold_s(learned)
    throttle, slower = throttled(state.throttle, fault, now_us=now_us, jitter=jitter, issued_us=issued_us, least_s=least_s)
    if least_s < 1.0 and fault.retry_after_s is None:
        slower = ""  # it is what looking for more costs, and no news
    return state.model_copy(update={"throttle": throttle, "learned": learned}), note or slower


def _may_mean_too_fast(state: AccountState, fault: Fault, now_us: int, recent: Recent) -> bool:
    """Words of an outage from a server that has just taken mail. If it goes on, it is one."""
    learned = state.learned
    blocked_us = now_us - learned.blocked_us if learned is not None and learned.blocked_us else 0
    went = bool(recent.count) or (learned is not None and bool(learned.per_s))
    return fault.cause in _MAYBE_THROTTLES and fault.advice is Advice.WAIT and went and blocked_us < OUTAGE_US


def _is_over(slowdown: Slowdown | None, now_us: int, issued_us: int | None) -> bool:
    return slowdown is not None and now_us >= slowdown.until_us and (issued_us is None or issued_us > slowdown.since_us)


def _counted(state: AccountState, fault: Fault, now_us: int, jitter: float) -> tuple[AccountState, str]:
    in_a_row, open_s = _patience(fault)
    breaker, note = after_fault(state.breaker, fault, now_us=now_us, jitter=jitter, in_a_row=in_a_row, open_s=open_s)
    return (state if breaker is state.breaker else state.model_copy(update={"breaker": breaker})), note


def _patience(fault: Fault) -> tuple[int, float | None]:
    """After how many faults in a row the breaker opens, and for how many seconds (None: its own way).

    A bad login concerns every mail: at once. A reputation or a domain's DKIM may concern this one mail's sender alone, and that
    must not stop the others: only if the next attempt of the account ends so too.
    """
    if not fault.alarm:
        return IN_A_ROW, None
    return (1, MENDED_BY_HUMANS_S) if fault.advice is Advice.WAIT else (2, REPUTATION_S)


def _ago(slowdown: Slowdown | None, now_us: int) -> str:
    return format_duration((now_us - slowdown.since_us) / 1e6) if slowdown is not None else ""
