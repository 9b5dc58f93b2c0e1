"""Delivery: one submission's way to one recipient, and the states it can be in."""

from __future__ import annotations

from enum import StrEnum


class DeliveryState(StrEnum):
    """Every accepted delivery is in exactly one of these."""

    QUEUED = "queued"  #: waits: for its time, a limit, its turn
    CLAIMED = "claimed"  #: a worker has it; no byte of the body has left
    SENDING = "sending"  #: the body may be on its way
    UNKNOWN = "unknown"  #: the body was on its way, no final reply was read
    SENT = "sent"  #: the gateway has taken it
    FAILED = "failed"  #: a fault of the recipient, explained, told to the ticket
    DEAD = "dead"  #: ours, unclear or poison: waits for a human
    EXPIRED = "expired"  #: its deadline passed in a lane that lets such mail go
    SUPPRESSED = "suppressed"  #: the address is suppressed
    CANCELLED = "cancelled"  #: by the host or a human, before it began
    SUPERSEDED = "superseded"  #: a later submission replaced it before it began


#: No worker touches these any more; a human may replay DEAD, FAILED, EXPIRED and SUPPRESSED.
FINAL = frozenset(
    {
        DeliveryState.SENT,
        DeliveryState.FAILED,
        DeliveryState.DEAD,
        DeliveryState.EXPIRED,
        DeliveryState.SUPPRESSED,
        DeliveryState.CANCELLED,
        DeliveryState.SUPERSEDED,
    }
)

#: What ended and waits for nobody. DEAD waits for a human.
SETTLED = FINAL - {DeliveryState.DEAD}

_S = DeliveryState
#: Every legal change of state. Property tests and the contract suite hold the adapters to it.
LEGAL: dict[DeliveryState, frozenset[DeliveryState]] = {
    _S.QUEUED: frozenset({_S.CLAIMED, _S.CANCELLED, _S.SUPERSEDED, _S.EXPIRED, _S.DEAD, _S.SENT}),
    _S.CLAIMED: frozenset(
        {_S.QUEUED, _S.SENDING, _S.FAILED, _S.DEAD, _S.EXPIRED, _S.SUPPRESSED, _S.CANCELLED, _S.SUPERSEDED, _S.SENT}
    ),
    _S.SENDING: frozenset({_S.SENT, _S.QUEUED, _S.UNKNOWN, _S.FAILED, _S.DEAD, _S.EXPIRED}),
    _S.UNKNOWN: frozenset({_S.SENT, _S.QUEUED, _S.DEAD, _S.CANCELLED, _S.EXPIRED}),
    _S.SENT: frozenset(),
    _S.FAILED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.DEAD: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.EXPIRED: frozenset({_S.QUEUED}),
    _S.SUPPRESSED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset(),
    _S.SUPERSEDED: frozenset(),
}
