"""Lanes: how urgent a mail is. Data; a host adds its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.delivery import DeliveryState

#: What follows when no evidence says what became of a mail: ``resend`` once, ``never`` again (DEAD), ``hold`` for a human.
UnknownPolicy = Literal["resend", "never", "hold"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane.

    ``weight`` is its part of the sending when lanes compete (a positive whole number), and orders lanes within a ticket.
    ``deadline_s``: seconds after acceptance when nobody wants the mail any more, unless the submission says otherwise.
    ``unknown``: see ``UnknownPolicy``. ``ends_as``: what a passed deadline makes of it, DEAD or EXPIRED.
    ``reserve``: the part of a day's quota that is kept for this lane (0 to 1).
    """

    name: str
    weight: int
    deadline_s: float
    unknown: UnknownPolicy = "resend"
    ends_as: DeliveryState = DeliveryState.DEAD
    reserve: float = 0.0

    def __post_init__(self) -> None:
        if self.weight < 1 or self.deadline_s <= 0 or not 0 <= self.reserve < 1:
            raise SettingsError("weight and deadline are positive, reserve is below 1.", name=f"lanes.{self.name}")
        if self.ends_as not in (DeliveryState.DEAD, DeliveryState.EXPIRED):
            raise SettingsError("a lane ends mail as dead or expired.", name=f"lanes.{self.name}.ends_as")


class Lanes(Mapping[str, Lane]):
    """The lanes of a site, by name. Immutable. An unknown name raises KeyError with the nearest one."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes: Final = {lane.name: lane for lane in lanes}

    def __getitem__(self, name: str) -> Lane:
        try:
            return self._lanes[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._lanes, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise KeyError(f"There is no lane {name!r}.{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    def __contains__(self, name: object) -> bool:
        return name in self._lanes

    def __repr__(self) -> str:
        return f"Lanes({list(self._lanes.values())})"

    def of(self, name: str) -> Lane:
        """The lane ``name``; for mail whose lane was removed from the settings, one like ``notice`` under that name, so that
        nothing is stranded."""
        return self._lanes.get(name) or replace(_NOTICE, name=name)

    def weights(self) -> dict[str, int]:
        """Weight by name."""
        return {name: lane.weight for name, lane in self._lanes.items()}

    def reserved_from(self, name: str) -> float:
        """The part of a day's quota that mail of lane ``name`` leaves to the lanes that ask for a reserve (below 1)."""
        others = sum(lane.reserve for lane in self._lanes.values() if lane.name != name)
        return min(others, 0.99)

    def changed(self, name: str, **fields: Any) -> Lanes:
        """These lanes with fields of one replaced; a new name begins as ``notice``.

        Raises:
            SettingsError: a value that no lane can have.
        """
        lane = replace(self.of(name), **fields)
        return Lanes([*(one for one in self._lanes.values() if one.name != name), lane])


_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0
_NOTICE: Final = Lane("notice", 8, 12 * _HOUR_S)

#: Shipped lanes. Deadlines: reply 72 h, notice 12 h, login code 15 min, digest 24 h; bulk as long as RFC 5321 section 4.5.4.1
#: lets mail wait (4 to 5 days). A login code that may have arrived is never sent again.
SHIPPED: Final = Lanes(
    [
        Lane("code", 64, 900.0, unknown="never"),
        Lane("reply", 32, 72 * _HOUR_S),
        _NOTICE,
        Lane("digest", 4, _DAY_S, ends_as=DeliveryState.EXPIRED),
        Lane("bulk", 1, 5 * _DAY_S, ends_as=DeliveryState.EXPIRED),
    ]
)


def share(
    weights: Mapping[str, int],
    capacity: int,
    waiting: Mapping[str, int],
    carried: Mapping[str, int] | None = None,
) -> tuple[dict[str, int], dict[str, int]]:
    """How many mails of each lane to claim for ``capacity`` free places, and what to carry to the next call.

    Smooth weighted round robin: each place goes to the waiting lane that is furthest behind its part. A lane alone gets all;
    what a lane does not use flows on; no waiting lane is passed over for longer than one round of all weights. ``waiting``
    counts due mails by lane (an upper bound will do); a lane that waits for nothing loses its credit, so none can be hoarded.
    Lanes without a weight count as 1.
    """
    left = {name: count for name, count in waiting.items() if count > 0}
    credit = {name: (carried or {}).get(name, 0) for name in left}
    granted = dict.fromkeys(left, 0)
    for _ in range(min(max(capacity, 0), sum(left.values()))):
        for name in left:
            credit[name] += max(1, weights.get(name, 1))
        first = max(left, key=lambda name: (credit[name], weights.get(name, 1)))
        credit[first] -= sum(max(1, weights.get(name, 1)) for name in left)
        granted[first] += 1
        left[first] -= 1
        if not left[first]:
            del left[first]
    return granted, {name: credit[name] for name in left}
