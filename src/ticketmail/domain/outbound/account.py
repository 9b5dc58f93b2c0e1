"""An account's limits, and its shared state: breaker, throttle, quota, windows, connection leases. Immutable values.

The spool keeps the state as a small JSON document and changes it under a row lock, so all workers obey one account together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, ValidationError

from ticketmail.domain.errors import ContractBroken, SettingsError
from ticketmail.domain.outbound.allowance import Told
from ticketmail.domain.outbound.breaker import Breaker
from ticketmail.domain.outbound.learning import Learned
from ticketmail.domain.outbound.leases import Lease
from ticketmail.domain.outbound.resets import Resets
from ticketmail.domain.outbound.slowdown import Slowdown
from ticketmail.domain.outbound.windows import FRESH, Window, WindowState, available


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


def slots_of(state: AccountState, limits: AccountLimits) -> int:
    """Connections that are ours: by the limits, or fewer by what the server taught."""
    known = state.learned.connections if state.learned is not None else 0
    return min(limits.slots, known) if known else limits.slots


def metered(state: AccountState, limits: AccountLimits) -> bool:
    """Whether mails need permits: there is a limit, or the server has slowed us down, or it has said what it takes."""
    slowed = state.throttle is not None or state.told is not None
    return bool(limits.ours) or slowed or (state.learned is not None and bool(state.learned.per_s))


def headroom(state: AccountState, limits: AccountLimits, now_us: int) -> float:
    """The part that is left of the window above a minute that is used most, 0 to 1; 1 without such a window."""
    left = (
        available(window, state.windows.get(window.key, FRESH), now_us) / window.limit
        for window in limits.ours
        if window.kind != "smooth"
    )
    return min(left, default=1.0)
