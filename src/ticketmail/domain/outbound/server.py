"""A server that several accounts share: what all of them may do together, on top of what each may. Pure.

Its state is a document like an account's (windows, connection leases), and counts by the same arithmetic. Its connections are
held by one worker for one account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.holds import Hold, hold_of
from ticketmail.domain.outbound.leases import Lease
from ticketmail.domain.outbound.permits import Grant, drop_worker

#: Connections of a server that limits none: more than all its accounts could open.
NO_CAP: Final = 100_000


@dataclass(frozen=True, slots=True)
class Server:
    """``[gateways.X]`` with limits of its own. ``name`` is X."""

    name: str
    limits: AccountLimits

    @property
    def caps_connections(self) -> bool:
        """Its connections are limited."""
        return self.limits.connections < NO_CAP

    @property
    def counts(self) -> bool:
        """It has windows, so each mail needs its permit; else connections are all that is shared."""
        return bool(self.limits.ours)


def holder(worker: str, account: str) -> str:
    """Who holds a server's connections."""
    return f"{worker}/{account}"


def accounts_holding(leases: Mapping[str, Lease], now_us: int) -> dict[str, int]:
    """Connections of a server by account."""
    held: dict[str, int] = {}
    for name, lease in leases.items():
        if lease.held and lease.until_us > now_us:
            account = name.partition("/")[2]
            held[account] = held.get(account, 0) + lease.held
    return held


def both(own: Grant, shared: Grant, name: str) -> Grant:
    """What the account's grant and the server's allow together."""
    return Grant(
        permits=min(own.permits, shared.permits),
        connections=min(own.connections, shared.connections),
        until_us=min(own.until_us, shared.until_us),
        hold=own.hold or told(shared.hold, name),
        first_us=max(own.first_us, shared.first_us),
        interval_us=max(own.interval_us, shared.interval_us),
    )


def server_hold(state: AccountState, server: Server, *, now_us: int) -> Hold | None:
    """Why no account may send through the server now, or None."""
    return told(hold_of(state, server.limits, now_us=now_us), server.name)


def told(hold: Hold | None, name: str) -> Hold | None:
    """A hold in words that name the server."""
    if hold is None:
        return None
    if hold.kind == "connections":
        return replace(hold, reason=f"Other accounts and workers use all connections that the gateway {name} may have.")
    ours = f"The limit that all accounts of the gateway {name} share, "
    reason = hold.reason.replace("The account's limit of ", ours).replace(" is used up", ", is used up")
    return replace(hold, reason=reason)


def drop_holder(state: AccountState, worker: str) -> AccountState:
    """The worker is gone: what it held for any account is free."""
    for name in {*state.leases, *state.blocks}:
        if name.partition("/")[0] == worker:
            state = drop_worker(state, name)
    return state
