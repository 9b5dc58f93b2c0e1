"""The other side of a road, as far as tests of the host need it: takes jobs and unpacks them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ticketmail.domain.job import Parcel, SubmitOrder, decode, order_from
from ticketmail.domain.ports.queueing import SUBMIT, Broker

PATIENCE_S = 30.0


def taken(broker: Broker, count: int, *, queue: str = SUBMIT, secrets: Sequence[bytes] = ()) -> list[Parcel]:
    """At least ``count`` jobs, in their order; more if there are more at hand."""

    async def take() -> list[Parcel]:
        found: list[Parcel] = []
        until = time.monotonic() + PATIENCE_S
        async with broker.receive(queue, prefetch=500) as receiver:
            while len(found) < count and time.monotonic() < until:
                got = await receiver.batch(500, 0.5)
                found += [decode(one.job.body, secrets=secrets) for one in got]
                await receiver.ack(got)
            found += [decode(one.job.body, secrets=secrets) for one in await receiver.batch(500, 0.2)]
        return found

    return asyncio.run(take())


def orders(broker: Broker, count: int) -> list[SubmitOrder]:
    """The same as submissions."""
    return [order_from(parcel) for parcel in taken(broker, count)]
