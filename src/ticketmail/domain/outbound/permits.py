"""Permits to begin mails, and connections: asked for, counted in all windows or in none, given back. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ticketmail.domain.outbound.account import AccountLimits, AccountState, Block, metered, slots_of
from ticketmail.domain.outbound.allowance import left, let_through, taken_back
from ticketmail.domain.outbound.breaker import PROBE_LIFE_US, allowed, not_tried, tried
from ticketmail.domain.outbound.holds import Hold, hold_of, used_up
from ticketmail.domain.outbound.learning import granted, returned
from ticketmail.domain.outbound.learning_connections import more_connections
from ticketmail.domain.outbound.leases import leased, next_free_us
from ticketmail.domain.outbound.slowdown import Slowdown
from ticketmail.domain.outbound.windows import FRESH, PERMIT_LIFE_S, available, refund, spend, turn_us


@dataclass(frozen=True, slots=True)
class Grant:
    """``permits`` mails may begin before ``until_us``; unused ones are given back. ``connections`` is how many this worker may
    have open: if it is fewer than before, it closes some. ``hold`` is set if there is no permit though one was asked for.
    The first mail's turn is at ``first_us``, each further one's ``interval_us`` later (0: all at once)."""

    permits: int
    connections: int
    until_us: int
    hold: Hold | None = None
    first_us: int = 0
    interval_us: int = 0


def take(
    state: AccountState,
    limits: AccountLimits,
    *,
    worker: str,
    permits: int,
    connections: int,
    now_us: int,
    in_use: int = 0,
    reserve: float = 0.0,
) -> tuple[AccountState, Grant]:
    """Ask for permits to begin mails, and for connections, of which ``in_use`` are open now.

    All windows count what is granted, or none does; fewer permits than asked for are granted if that is what is left. Renews
    the worker's lease. ``reserve``: the part of windows above a minute that this mail leaves to other lanes.
    """
    state = _with_connections(state, limits, worker, in_use, now_us)
    leases, slots = leased(state.leases, slots_of(state, limits), worker, wanted=connections, in_use=in_use, now_us=now_us)
    state = state.model_copy(update={"leases": leases})
    life_us = min((window.life_us for window in limits.ours), default=int(PERMIT_LIFE_S * 1e6))
    if permits <= 0:
        return state, Grant(0, slots, now_us + life_us)
    hold = hold_of(state, limits, now_us=now_us, reserve=reserve)
    if hold is None and slots == 0:
        sentence = "Other workers use all connections that the account may have."
        hold = Hold("connections", next_free_us(leases, now_us), "connections", sentence)
    if hold is not None:
        return state, Grant(0, slots, now_us, hold)
    return _permitted(state, limits, worker, min(permits, _most(state, limits, now_us, reserve)), slots, life_us, now_us)


def unrestricted(state: AccountState, limits: AccountLimits) -> bool:
    """Nothing counts mails now: who has connections need not ask for permits."""
    return not metered(state, limits) and state.quota is None and state.breaker.phase == "closed"


def _permitted(
    state: AccountState, limits: AccountLimits, worker: str, count: int, slots: int, life_us: int, now_us: int
) -> tuple[AccountState, Grant]:
    """Count ``count`` mails in all windows and at the learned pace, and say when each one's turn is."""
    first_us, interval_us, learned = now_us, 0, state.learned
    if learned is not None and learned.per_s:
        learned, count, first_us, interval_us = granted(learned, count, now_us=now_us)
    windows = dict(state.windows)
    for window in limits.ours:
        if window.unit == "bytes":
            continue
        before = windows.get(window.key, FRESH)
        if window.paced:
            first_us, interval_us = max(first_us, turn_us(before, now_us)), max(interval_us, window.interval_us)
        windows[window.key] = spend(window, before, now_us, count, worker)
    probe = {"probe_until_us": now_us + PROBE_LIFE_US}
    update = {
        "windows": windows,
        "learned": learned,
        "told": let_through(state.told, count, now_us),
        "breaker": tried(state.breaker, count, now_us),
        "quota": state.quota and state.quota.model_copy(update=probe),
        "throttle": state.throttle and state.throttle.model_copy(update=probe),
        "blocks": {**_recent(state, now_us), worker: Block(issued_us=now_us, permits=count)},
    }
    return state.model_copy(update=update), Grant(count, slots, now_us + life_us, None, first_us, interval_us)


def _with_connections(state: AccountState, limits: AccountLimits, worker: str, in_use: int, now_us: int) -> AccountState:
    if state.learned is None:
        return state
    lease = state.leases.get(worker)
    all_used = lease is not None and 0 < lease.held <= in_use
    learned = more_connections(state.learned, now_us=now_us, most=limits.slots, all_used=all_used)
    return state if learned is state.learned else state.model_copy(update={"learned": learned})


def _most(state: AccountState, limits: AccountLimits, now_us: int, reserve: float) -> int:
    """The most mails that every restriction allows now."""
    most = [
        available(window, state.windows.get(window.key, FRESH), now_us, reserve=reserve)
        for window in limits.ours
        if window.unit != "bytes"
    ]
    said = left(state.told, now_us)
    if said is not None:
        most.append(said)
    probes = allowed(state.breaker, now_us)
    if probes is not None:
        most.append(probes)
    if state.quota is not None or state.throttle is not None:
        most.append(1)
    return min(most, default=1_000_000)


def _recent(state: AccountState, now_us: int) -> dict[str, Block]:
    """Grants that may still be given back; those of workers that died are forgotten."""
    return {name: block for name, block in state.blocks.items() if now_us - block.issued_us < PROBE_LIFE_US}


def charge(
    state: AccountState, limits: AccountLimits, *, worker: str, recipients: int = 0, size_bytes: int = 0, now_us: int
) -> tuple[AccountState, Hold | None]:
    """Count what claimed mails have beyond one recipient each, and their bytes, before they begin.

    All or nothing: with a Hold nothing was counted, and the mails wait. A single mail that is larger than a whole window
    passes once the window is empty but for its own permit: it would wait for ever else.
    """
    amounts = {"recipients": recipients, "bytes": size_bytes, "messages": 0}
    windows = dict(state.windows)
    for window in limits.ours:
        amount, old = amounts[window.unit], windows.get(window.key, FRESH)
        if amount <= 0:
            continue
        most = window.burst if window.kind == "smooth" else window.limit
        own = 1 if window.unit == "recipients" else 0  # the mail's permit has counted its first
        least = min(amount, most - own)
        if available(window, old, now_us) < least:
            return state, used_up(window, old, now_us, 0.0, least)
        windows[window.key] = spend(window, old, now_us, amount, f"{worker}/charge")
    return state.model_copy(update={"windows": windows}), None


def give_back(state: AccountState, worker: str, permits: int, now_us: int) -> AccountState:
    """Permits of the worker's last grant that it did not use. More than it was given is ignored."""
    block = state.blocks.get(worker)
    count = min(permits, block.permits) if block is not None else 0
    if block is None or count <= 0 or now_us < block.issued_us:
        return state
    windows = {
        key: one if key.startswith("bytes/") else refund(one, block.issued_us, count, worker)
        for key, one in state.windows.items()
    }
    rest = block.model_copy(update={"permits": block.permits - count})
    update = {
        "windows": windows,
        "blocks": {**state.blocks, worker: rest},
        "breaker": not_tried(state.breaker, count),
        "quota": _not_probed(state.quota, block.issued_us),
        "throttle": _not_probed(state.throttle, block.issued_us),
        "learned": state.learned and returned(state.learned, count),
        "told": taken_back(state.told, count),
    }
    return state.model_copy(update=update)


def _not_probed(slowdown: Slowdown | None, issued_us: int) -> Slowdown | None:
    """The next mail may be the probe, if a permit that was given as one came back. What is older than the hold was none."""
    if slowdown is None or issued_us <= slowdown.since_us:
        return slowdown
    return slowdown.model_copy(update={"probe_until_us": 0})


def drop_worker(state: AccountState, worker: str) -> AccountState:
    """The worker is gone: its connections are free."""
    if worker not in state.leases and worker not in state.blocks:
        return state
    leases = {name: lease for name, lease in state.leases.items() if name != worker}
    blocks = {name: block for name, block in state.blocks.items() if name != worker}
    return state.model_copy(update={"leases": leases, "blocks": blocks})
