"""Which deliveries a scope means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ticketmail.adapters.memory.state import Delivery, State
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.scope import Scope, ScopeKind

_VALUES: Mapping[ScopeKind, Callable[[Delivery], str | None]] = {
    ScopeKind.ACCOUNT: lambda d: d.account,
    ScopeKind.LANE: lambda d: d.lane,
    ScopeKind.TENANT: lambda d: d.submission.tenant,
    ScopeKind.TICKET: lambda d: d.submission.ticket,
    ScopeKind.TO: lambda d: d.recipient_key,
    ScopeKind.DOMAIN: lambda d: d.recipient_domain,
    ScopeKind.CAUSE: lambda d: d.cause,
}


def matches(delivery: Delivery, scope: Scope) -> bool:
    """The scope means this delivery. Ids may be written with dashes or without."""
    if scope.kind is ScopeKind.ALL:
        return True
    if scope.kind is ScopeKind.ID:
        id_, number = scope.delivery
        return delivery.submission.id.hex == id_ and number in (None, delivery.number)
    return _VALUES[scope.kind](delivery) == scope.value


def select(state: State, scope: Scope, states: Sequence[DeliveryState] = ()) -> list[Delivery]:
    """Deliveries in a scope and in some states (() means any), the oldest first."""
    chosen = states or tuple(DeliveryState)
    found = (d for one in dict.fromkeys(chosen) for d in state.by_state[one].values() if matches(d, scope))
    return sorted(found, key=lambda d: (d.accepted_us, *d.key))
