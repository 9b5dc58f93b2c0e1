"""An account's shared state: breaker, holds, windows, connection leases. Immutable values and pure functions over them.

The spool keeps the state as a small JSON document and changes it under a row lock, so all workers obey one account together.
Holds consume nothing: where a hold is answered, no window has counted anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ticketmail.domain.errors import ContractBroken, SettingsError
from ticketmail.domain.outbound.allowance import Told, left, let_through, taken_back
from ticketmail.domain.outbound.breaker import PROBE_LIFE_US, Breaker, allowed, next_probe_us, not_tried, tried
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.outbound.learning import Learned, granted, more_connections, next_turn_us, returned
from ticketmail.domain.outbound.leases import Lease, leased, next_free_us
from ticketmail.domain.outbound.resets import Resets
from ticketmail.domain.outbound.slowdown import Slowdown
from ticketmail.domain.outbound.windows import PERMIT_LIFE_S, Window, WindowState, available, next_us, refund, spend

__all__ = [
    "AccountLimits",
    "AccountState",
    "Grant",
    "Hold",
    "HoldKind",
    "Window",
    "charge",
    "drop_worker",
    "give_back",
    "headroom",
    "health_hold",
    "hold_of",
    "stopped_since",
    "take",
]

HoldKind = Literal["rate", "quota", "breaker", "throttle", "connections", "pause"]


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What an account may do. ``share`` is our part of windows and connections (0 to 1; at least 1 of each). ``ours`` are the
    account's windows, ``of_tenant`` those that each tenant has for itself, in which nobody else has a share."""

    windows: tuple[Window, ...] = ()
    connections: int = 5
    messages_per_connection: int = 100
    share: float = 1.0
    max_recipients: int | None = None  #: per transaction
    max_size_bytes: int | None = None
    ours: tuple[Window, ...] = field(init=False, repr=False, compare=False)
    of_tenant: tuple[Window, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ours", _smallest(one.shared(self.share) for one in self.windows if not one.per_tenant))
        object.__setattr__(self, "of_tenant", _smallest(one for one in self.windows if one.per_tenant))
        if self.connections < 1 or not 0 < self.share <= 1:
            raise SettingsError("connections is at least 1, share above 0 and at most 1.")

    @classmethod
    def parse(cls, windows: Sequence[str], *, connections: int = 5, share: float = 1.0) -> AccountLimits:
        """Limits as settings write them. Raises SettingsError."""
        return cls(tuple(Window.parse(text) for text in windows), connections=connections, share=share)

    @property
    def slots(self) -> int:
        """Connections that are ours."""
        return max(1, math.floor(self.connections * self.share))


def _smallest(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Of those that count the same the one with the lowest limit; the shortest first."""
    smallest: dict[str, Window] = {}
    for window in windows:
        if window.key not in smallest or window.limit < smallest[window.key].limit:
            smallest[window.key] = window
    return tuple(sorted(smallest.values(), key=lambda one: one.period_s))


@dataclass(frozen=True, slots=True)
class Hold:
    """Why due mail does not run. ``until_us`` None: until a human acts. ``reason`` is a sentence for people."""

    kind: HoldKind
    until_us: int | None
    cause: str
    reason: str


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


class Block(BaseModel):
    """A worker's last grant, which can be given back."""

    model_config = ConfigDict(frozen=True, extra="allow")

    issued_us: int
    permits: int


class AccountState(BaseModel):
    """The document. Fields of a newer release are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow")

    breaker: Breaker = Breaker()
    throttle: Slowdown | None = None
    quota: Slowdown | None = None
    learned: Learned | None = None
    told: Told | None = None
    resets: Resets | None = None
    windows: dict[str, WindowState] = {}
    leases: dict[str, Lease] = {}
    blocks: dict[str, Block] = {}

    @classmethod
    def from_json(cls, content: bytes | None) -> AccountState:
        """The state in ``content``; None: a new account.

        Raises:
            ContractBroken: not a state. ``ticketmail accounts clear NAME`` starts it anew.
        """
        if content is None:
            return cls()
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            remedy = "Clear the account's state; its counts begin anew."
            raise ContractBroken(f"An account's state cannot be read ({error.error_count()} errors).", remedy=remedy) from None

    def to_json(self) -> bytes:
        """The document's content."""
        return self.model_dump_json(exclude_defaults=True).encode()


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
    state = _with_connections(state, limits, now_us)
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
        before = windows.get(window.key, _FRESH)
        if window.paced:
            first_us, interval_us = max(first_us, before.tat_us), max(interval_us, window.interval_us)
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


def slots_of(state: AccountState, limits: AccountLimits) -> int:
    """Connections that are ours: by the limits, or fewer by what the server taught."""
    known = state.learned.connections if state.learned is not None else 0
    return min(limits.slots, known) if known else limits.slots


def metered(state: AccountState, limits: AccountLimits) -> bool:
    """Whether mails need permits: there is a limit, or the server has slowed us down, or it has said what it takes."""
    slowed = state.throttle is not None or state.told is not None
    return bool(limits.ours) or slowed or (state.learned is not None and bool(state.learned.per_s))


def _with_connections(state: AccountState, limits: AccountLimits, now_us: int) -> AccountState:
    if state.learned is None:
        return state
    learned = more_connections(state.learned, now_us=now_us, most=limits.slots)
    return state if learned is state.learned else state.model_copy(update={"learned": learned})


def hold_of(state: AccountState, limits: AccountLimits, *, now_us: int, reserve: float = 0.0) -> Hold | None:
    """Why no mail may begin now, or None. Changes nothing: for people, too."""
    return health_hold(state, now_us) or _pace_hold(state, now_us) or _window_hold(state, limits, now_us, reserve)


def headroom(state: AccountState, limits: AccountLimits, now_us: int) -> float:
    """The part that is left of the window above a minute that is used most, 0 to 1; 1 without such a window."""
    left = (
        available(window, state.windows.get(window.key, _FRESH), now_us) / window.limit
        for window in limits.ours
        if window.kind != "smooth"
    )
    return min(left, default=1.0)


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
        amount, old = amounts[window.unit], windows.get(window.key, _FRESH)
        if amount <= 0:
            continue
        most = window.burst if window.kind == "smooth" else window.limit
        own = 1 if window.unit == "recipients" else 0  # the mail's permit has counted its first
        least = min(amount, most - own)
        if available(window, old, now_us) < least:
            return state, _full(window, old, now_us, 0.0, least)
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


def stopped_since(state: AccountState, issued_us: int, now_us: int) -> bool:
    """Whether the account has begun to be held after that permit was given: what has not left yet would only be refused."""
    slowdowns = [one for one in (state.throttle, state.quota) if one is not None]
    opened = state.breaker.phase == "open" and now_us < state.breaker.until_us
    return opened or any(issued_us <= one.since_us for one in slowdowns)


def drop_worker(state: AccountState, worker: str) -> AccountState:
    """The worker is gone: its connections are free."""
    if worker not in state.leases and worker not in state.blocks:
        return state
    leases = {name: lease for name, lease in state.leases.items() if name != worker}
    blocks = {name: block for name, block in state.blocks.items() if name != worker}
    return state.model_copy(update={"leases": leases, "blocks": blocks})


_FRESH: Final = WindowState()
#: A reset further away than this ends a quota, not a rate (microseconds).
_LONG_US: Final = 3600 * 1_000_000


def _recent(state: AccountState, now_us: int) -> dict[str, Block]:
    """Grants that may still be given back; those of workers that died are forgotten."""
    return {name: block for name, block in state.blocks.items() if now_us - block.issued_us < PROBE_LIFE_US}


def health_hold(state: AccountState, now_us: int) -> Hold | None:
    """What holds an account apart from its own windows: breaker, the provider's quota, a throttle, the provider's own figures."""
    if allowed(state.breaker, now_us) == 0:
        probing = " One mail is being tried." if state.breaker.phase == "half-open" else ""
        sentence = f"{cause_of(state.breaker.cause).sentence}{probing}"
        return Hold("breaker", next_probe_us(state.breaker, now_us), state.breaker.cause, sentence)
    if state.quota is not None and now_us < max(state.quota.until_us, state.quota.probe_until_us):
        until_us = max(state.quota.until_us, state.quota.probe_until_us)
        return Hold("quota", until_us, state.quota.cause, cause_of(state.quota.cause).sentence)
    if state.throttle is not None and now_us < max(state.throttle.until_us, state.throttle.probe_until_us):
        until_us = max(state.throttle.until_us, state.throttle.probe_until_us)
        return Hold("throttle", until_us, state.throttle.cause, cause_of(state.throttle.cause).sentence)
    return _told_hold(state.told, now_us)


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
        hold = _full(window, state.windows.get(window.key, _FRESH), now_us, reserve)
        if hold.until_us is not None and hold.until_us > (worst.until_us or 0 if worst else now_us):
            worst = hold
    return worst


def _full(window: Window, state: WindowState, now_us: int, reserve: float, amount: int = 1) -> Hold:
    kind: HoldKind = "rate" if window.period_s < 3600 else "quota"
    until_us = next_us(window, state, now_us, reserve=reserve, amount=amount)
    cause = "limit-rate" if kind == "rate" else "limit-quota"
    return Hold(kind, until_us, cause, f"The account's limit of {window} is used up.")


def _most(state: AccountState, limits: AccountLimits, now_us: int, reserve: float) -> int:
    """The most mails that every restriction allows now."""
    most = [
        available(window, state.windows.get(window.key, _FRESH), now_us, reserve=reserve)
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
