"""Connection leases: how many connections of an account each worker may have open. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

LEASE_US: Final = 30_000_000  #: a worker that does not renew loses its connections


class Lease(BaseModel):
    """Connections of one worker: ``held`` of the ``wanted``, until ``until_us``."""

    model_config = ConfigDict(frozen=True, extra="allow")

    held: int = 0
    wanted: int = 0
    until_us: int = 0


def leased(
    leases: Mapping[str, Lease], cap: int, worker: str, *, wanted: int, in_use: int, now_us: int
) -> tuple[dict[str, Lease], int]:
    """The leases with the worker's renewed, and how many connections it may have. The sum over live workers is never above
    ``cap``. Where others want more than they have, nobody gets more than an equal part; what is still open (``in_use``) stays
    leased until the worker has closed it, for the server counts it."""
    others = {name: one for name, one in leases.items() if name != worker and one.until_us > now_us}
    old = leases.get(worker, Lease())
    held = old.held if old.until_us > now_us else 0
    free = max(0, cap - sum(one.held for one in others.values()))
    most = cap
    if wanted > 0 and any(one.wanted > one.held for one in others.values()):
        most = max(1, math.ceil(cap / (1 + sum(one.wanted > 0 for one in others.values()))))
    granted = max(0, min(wanted, most, free))
    kept = max(granted, min(in_use, held, free))
    if wanted <= 0 and kept <= 0:
        return others, 0
    return {**others, worker: Lease(held=kept, wanted=max(0, wanted), until_us=now_us + LEASE_US)}, granted


def next_free_us(leases: Mapping[str, Lease], now_us: int) -> int:
    """When a lease ends at the latest if nobody renews; workers usually give connections back sooner."""
    return min((one.until_us for one in leases.values() if one.held and one.until_us > now_us), default=now_us + 1_000_000)
