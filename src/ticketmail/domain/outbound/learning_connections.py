"""How many connections a mail server bears, as it taught: one fewer after a refusal, one more after a clean time. Pure.

A refused connection is taken from the worker that opened it, so that nobody else has to give one up, and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.outbound.clocks import is_ahead
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.learning import Learned
from ticketmail.domain.outbound.leases import Lease

_US: Final = 1_000_000
#: One more is tried after so many seconds without a refusal, twice as many after each that was refused, so often at the most.
_CLEAN_S, _DOUBLINGS = 60.0, 3
#: By then workers have been seen so often to use all that they may have: more would be of use.
_USED: Final = 3


@dataclass(frozen=True, slots=True)
class RefusedConnection:
    """What a refusal means. ``others``: connections of ours go on, so the account need not wait."""

    learned: Learned
    leases: Mapping[str, Lease]
    others: bool
    note: str = ""


def refused_connection(
    old: Learned | None, leases: Mapping[str, Lease], fault: Fault, *, worker: str, now_us: int, tried_us: int | None
) -> RefusedConnection:
    """After a refusal for too many connections: one fewer than were leased, and that one is the ``worker``'s. Where the last
    one was tried before the one before it was known (``tried_us``), it is an echo."""
    learned = old or Learned()
    live = {name: lease.held for name, lease in leases.items() if lease.until_us > now_us}
    in_use, own = sum(live.values()), live.get(worker, 0)
    changed_us = _changed_us(learned, now_us)
    if tried_us is not None and tried_us <= changed_us and not learned.connections_tried:
        return RefusedConnection(learned, leases, others=in_use > 0)
    if not in_use:
        return RefusedConnection(learned, leases, others=False)
    left = in_use - 1 if own else in_use
    most = max(1, min(left, learned.connections or left))
    refused = learned.connections_refused + 1 if learned.connections_tried else learned.connections_refused
    update = {
        "connections": most,
        "connections_us": now_us,
        "connections_used": 0,
        "connections_tried": False,
        "connections_refused": refused,
        "evidence": fault.text[:300],
        "learned_us": now_us,
    }
    note = f"{most} connections from now on." if most != learned.connections else ""
    if own:
        leases = {**leases, worker: leases[worker].model_copy(update={"held": own - 1})}
    return RefusedConnection(learned.model_copy(update=update), leases, left > 0, note)


def more_connections(old: Learned, *, now_us: int, most: int, all_used: bool) -> Learned:
    """When a worker asks for connections, and uses all that it had (``all_used``) or not: one more after a clean time. The same
    object if nothing changed."""
    if not old.connections or old.connections >= most or not all_used:
        return old
    clean_s = _CLEAN_S * 2.0 ** min(old.connections_refused, _DOUBLINGS)
    used = old.connections_used + 1
    if used < _USED or now_us - _changed_us(old, now_us) < clean_s * _US:
        return old.model_copy(update={"connections_used": used})
    more = {"connections": old.connections + 1, "connections_us": now_us, "connections_used": 0, "connections_tried": True}
    refused = 0 if old.connections_tried else old.connections_refused  # the one before was borne
    return old.model_copy(update=more | {"connections_refused": refused})


def _changed_us(learned: Learned, now_us: int) -> int:
    """When their number changed last; 0 if a clock said so that has been set back since: every refusal would be an echo."""
    return 0 if is_ahead(learned.connections_us, now_us) else learned.connections_us
