"""Sending again what had ended, at a pace, with a new deadline. One verb over ``Operating.replay``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import DeliveryView, Operating, Reading
from ticketmail.domain.scope import Scope

#: What a human may send again. UNKNOWN: only where it waits for a human.
REPLAYABLE = (
    DeliveryState.DEAD,
    DeliveryState.FAILED,
    DeliveryState.EXPIRED,
    DeliveryState.SUPPRESSED,
    DeliveryState.UNKNOWN,
)
#: A plan looks at no more mails than this; the replay itself has no limit.
LOOKED_AT = 5_000


class NothingToReplay(TicketmailError):
    """Nothing in that scope has ended in a way that can be sent again."""

    code = "nothing-to-replay"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would do. ``count`` is exact up to ``LOOKED_AT``, then ``more`` is True. ``lifetime_us`` is the new
    deadline, counted from each mail's turn; ``takes_s`` how long the pace stretches it."""

    scope: Scope
    states: tuple[DeliveryState, ...]
    count: int
    more: bool
    by_cause: Mapping[str, int]
    by_lane: Mapping[str, int]
    lifetime_us: int
    pace_per_s: float | None
    takes_s: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """``count`` deliveries are queued again."""

    plan: Plan
    count: int


class Replay:
    """``lane_lifetime_s(lane)`` says how long a lane's mail is wanted, in seconds."""

    def __init__(self, reading: Reading, operating: Operating, *, lane_lifetime_s: Callable[[str], float]) -> None:
        self._reading = reading
        self._operating = operating
        self._lane_lifetime_s = lane_lifetime_s

    def plan(
        self,
        scope: Scope,
        *,
        states: Sequence[DeliveryState] = (DeliveryState.DEAD,),
        pace_per_s: float | None = None,
        lifetime_us: int | None = None,
        limit: int | None = None,
    ) -> Plan:
        """What would be sent again. ``lifetime_us`` None: the longest of the lanes that are in it.

        Raises:
            NothingToReplay: there is nothing.
            SpoolError: the spool cannot be read.
        """
        chosen = tuple(state for state in states if state in REPLAYABLE)
        found = self._found(scope, chosen)
        more = len(found) >= LOOKED_AT
        found = found[:limit]
        if not found:
            names = ", ".join(state.value for state in states)
            raise NothingToReplay(f"Nothing in {scope} is {names}.", remedy="`ticketmail dead list` shows what waits.")
        lanes = Counter(view.lane for view in found)
        lifetime = lifetime_us or int(max(self._lane_lifetime_s(lane) for lane in lanes) * 1_000_000)
        mails = len({view.submission_id for view in found})
        takes_s = (mails - 1) / pace_per_s if pace_per_s else 0.0
        causes = Counter(view.cause for view in found)
        return Plan(scope, chosen, len(found), more, dict(causes.most_common()), dict(lanes), lifetime, pace_per_s, takes_s)

    def run(self, plan: Plan, *, actor: str, reason: str, limit: int | None = None) -> Replayed:
        """Do it. A crash in the middle leaves each delivery either as it was or queued; the same again finishes.
        Raises SpoolError kin."""
        count = self._operating.replay(
            plan.scope,
            states=plan.states,
            lifetime_us=plan.lifetime_us,
            pace_per_s=plan.pace_per_s,
            actor=actor,
            reason=reason,
            limit=limit,
        )
        return Replayed(plan, count)

    def _found(self, scope: Scope, states: Sequence[DeliveryState]) -> list[DeliveryView]:
        if not states:
            return []
        found = self._reading.find(scope, states=states, limit=LOOKED_AT)
        return [view for view in found if not view.dismissed and not _looked_for(view)]


def _looked_for(view: DeliveryView) -> bool:
    """UNKNOWN, and proof is still being looked for: not a human's yet."""
    return view.state is DeliveryState.UNKNOWN and view.due_us is not None
