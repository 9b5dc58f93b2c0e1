"""What an account claims: its capacity, shared by the lanes' weights and by the routes of each."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ticketmail.domain.outbound.lanes import Lanes, share
from ticketmail.domain.ports.delivering import ClaimedMail, Deliveries, Want


class Claims:
    """One per worker: what the shares left over is carried on to the next claim."""

    def __init__(self, deliveries: Deliveries, lanes: Lanes) -> None:
        self._deliveries = deliveries
        self._lanes = lanes
        self._carried: dict[str, dict[str, int]] = {}

    async def claim(
        self, worker_id: UUID, account: str, pairs: Sequence[tuple[str, str]], capacity: int, but: frozenset[str]
    ) -> list[ClaimedMail]:
        """By the lanes' shares of ``pairs`` of (route, lane); what a lane had nothing due for flows on to the others, the heavier
        first. ``but``: tenants whose mail stays. Raises SpoolError kin."""
        mails = list(await self._deliveries.claim(worker_id, self._wants(account, pairs, capacity, but)))
        rest = sorted(pairs, key=lambda pair: -self._lanes.of(pair[1]).weight) if len(pairs) > 1 else []
        for route, lane in rest:
            if len(mails) >= capacity:
                break
            mails += await self._deliveries.claim(worker_id, [Want(route, lane, capacity - len(mails), but)])
        return mails

    def _wants(self, account: str, pairs: Sequence[tuple[str, str]], capacity: int, but: frozenset[str]) -> list[Want]:
        """The capacity, shared by the lanes' weights as if each had as much due."""
        lanes = {lane for _, lane in pairs}
        granted, self._carried[account] = share(
            self._lanes.weights(), capacity, dict.fromkeys(lanes, capacity), self._carried.get(account)
        )
        wants: list[Want] = []
        for lane, count in sorted(granted.items(), key=lambda item: -self._lanes.of(item[0]).weight):
            routes = [route for route, one in pairs if one == lane]
            parts = zip(routes, _parts(count, len(routes)), strict=True)
            wants += [Want(route, lane, part, but) for route, part in parts if part]
        return wants


def _parts(count: int, among: int) -> list[int]:
    """``count`` in ``among`` nearly equal parts, the first ones larger."""
    return [count // among + (1 if place < count % among else 0) for place in range(among)]
