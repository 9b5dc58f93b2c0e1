"""What each tenant may send by an account: windows that are counted for each alone, beside the account's. Pure.

A tenant's state at an account is a document of its own, so that many tenants make no document large.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.holds import Hold, HoldKind
from ticketmail.domain.outbound.windows import (
    FRESH,
    Unit,
    Window,
    WindowState,
    available,
    next_us,
    pending,
    refund,
    spend,
    turn_us,
)


class TenantState(BaseModel):
    """The document: what was counted, by window. Fields of a newer release are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    windows: dict[str, WindowState] = {}

    @classmethod
    def from_json(cls, content: bytes | None) -> TenantState:
        """The state in ``content``, a fresh one if there is none, or if it is none: counts begin anew then."""
        try:
            return cls.model_validate_json(content) if content is not None else cls()
        except ValueError:
            return cls()

    def to_json(self) -> bytes:
        """The document's content."""
        return self.model_dump_json(exclude_defaults=True).encode()


@dataclass(frozen=True, slots=True)
class Amount:
    """What one mail counts."""

    recipients: int = 1
    size_bytes: int = 0

    def of(self, unit: Unit) -> int:
        """In a window's unit."""
        return {"messages": 1, "recipients": self.recipients, "bytes": self.size_bytes}[unit]


@dataclass(frozen=True, slots=True)
class Turns:
    """When the mails that may go may: UTC microseconds, in order; those that are left wait, and ``hold`` says why."""

    at_us: tuple[int, ...] = ()
    hold: Hold | None = field(default=None)


def document_of(account: str, tenant: str) -> str:
    """The document's name. Both may hold any character."""
    return json.dumps([account, tenant], ensure_ascii=False)


def whose(document: str) -> tuple[str, str]:
    """The account and the tenant of a document."""
    account, tenant = json.loads(document)
    return account, tenant


def let(
    state: TenantState, limits: AccountLimits, tenant: str, amounts: Sequence[Amount], *, now_us: int, worker: str
) -> tuple[TenantState, Turns]:
    """Count mails until one does not fit. All windows count a mail, or none does. A mail that is larger than a whole window goes
    once the window is empty."""
    windows = dict(state.windows)
    turns: list[int] = []
    for amount in amounts:
        hold = _full(windows, limits, tenant, now_us, amount)
        if hold is not None:
            return state.model_copy(update={"windows": windows}), Turns(tuple(turns), hold)
        paced = (turn_us(windows.get(one.key, FRESH), now_us) for one in limits.of_tenant if one.paced)
        turns.append(max([now_us, *paced]))
        for window in limits.of_tenant:
            before = windows.get(window.key, FRESH)
            windows[window.key] = spend(window, before, now_us, amount.of(window.unit), worker)
    return state.model_copy(update={"windows": windows}), Turns(tuple(turns))


def not_sent(state: TenantState, limits: AccountLimits, amount: Amount, *, issued_us: int, worker: str) -> TenantState:
    """A mail that was counted at ``issued_us`` stays here."""
    of_key = {one.key: one for one in limits.of_tenant}
    windows = {
        key: refund(one, issued_us, amount.of(of_key[key].unit), worker) if key in of_key else one
        for key, one in state.windows.items()
    }
    return state.model_copy(update={"windows": windows})


def is_idle(state: TenantState, windows: Sequence[Window], now_us: int) -> bool:
    """Nothing that was sent counts any more: the document may go."""
    return not any(pending(one, state.windows.get(one.key, FRESH), now_us) for one in windows)


def tenant_hold(state: TenantState, limits: AccountLimits, tenant: str, now_us: int) -> Hold | None:
    """Why the tenant's next mail may not go by the account now, or None."""
    return _full(state.windows, limits, tenant, now_us, Amount())


def _full(windows: Mapping[str, WindowState], limits: AccountLimits, tenant: str, now_us: int, amount: Amount) -> Hold | None:
    """The window that frees a place last, of those that have too little."""
    full = []
    for window in limits.of_tenant:
        state = windows.get(window.key, FRESH)
        most = window.burst if window.kind == "smooth" else window.limit
        least = min(max(1, amount.of(window.unit)), most)
        if available(window, state, now_us) < least:
            full.append((next_us(window, state, now_us, amount=least), window))
    if not full:
        return None
    until_us, window = max(full, key=lambda one: one[0])
    kind: HoldKind = "rate" if window.period_s < 3600 else "quota"
    return Hold(kind, until_us, "limit-tenant", f"{_named(tenant)} has used up its limit of {_plain(window)} at the account.")


def _named(tenant: str) -> str:
    return f"The tenant {tenant!r}" if tenant else "Mail of no tenant"


def _plain(window: Window) -> str:
    return str(window).removesuffix(" per tenant")
