"""Resolving UNKNOWN: looks for evidence, then what the lane allows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ticketmail.app.usecases.telling import events_of
from ticketmail.domain.outbound.deciding import Decision, Policy, Standing, decide_unknown
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.ports.delivering import Deliveries, Fenced, Resolution, Unresolved
from ticketmail.domain.ports.hosting import Evidence, Verdict

BATCH = 100
_log = logging.getLogger("ticketmail.resolve")
_NOTHING = Verdict("no-evidence")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was decided for one delivery."""

    unresolved: Unresolved
    decision: Decision


class Resolve:
    """``evidence`` None: nothing is known but what arrives by itself (a late answer, a bounce)."""

    def __init__(
        self,
        deliveries: Deliveries,
        *,
        lanes: Lanes,
        policy: Policy,
        now_us: Callable[[], int],
        evidence: Evidence | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._lanes = lanes
        self._policy = policy
        self._now_us = now_us
        self._evidence = evidence

    async def due(self) -> list[Resolved]:
        """Look once for each that is due. Raises SpoolError kin; what was not resolved is due still."""
        resolved = [Resolved(one, await self._decided(one)) for one in await self._deliveries.unresolved(BATCH)]
        if resolved:
            await self._deliveries.resolve([self._resolution(one) for one in resolved])
        return resolved

    async def _decided(self, one: Unresolved) -> Decision:
        verdict = await self._look(one)
        delivery = one.mail.deliveries[0]
        standing = Standing(
            attempts=delivery.attempts,
            unknowns=delivery.unknowns,
            accepted_us=one.mail.accepted_us,
            deadline_us=one.mail.deadline_us,
            delay_told=delivery.delay_told,
            lane=self._lanes.of(one.mail.lane),
            lost_alone=delivery.lost_alone,
        )
        return decide_unknown(standing, verdict.answer, one.checks, self._policy, now_us=self._now_us())

    async def _look(self, one: Unresolved) -> Verdict:
        if self._evidence is None:
            return _NOTHING
        try:
            return await self._evidence.look(
                account=one.account,
                message_id=one.mail.message_id,
                recipient=one.mail.deliveries[0].recipient,
                since_us=one.unknown_since_us,
            )
        except Exception as error:  # a host's hook: no evidence is the honest answer
            _log.warning("evidence hook failed: %s", type(error).__name__)
            return _NOTHING

    def _resolution(self, resolved: Resolved) -> Resolution:
        one, decision = resolved.unresolved, resolved.decision
        delivery = one.mail.deliveries[0]
        return Resolution(
            claim=Fenced(one.mail.submission_id, delivery.number, delivery.fence),
            state=decision.state,
            due_us=decision.due_us,
            cause=decision.cause,
            reason=decision.reason,
            events=events_of(one.mail, delivery, decision, now_us=self._now_us(), account=one.account, reply="", remote_id=""),
        )
