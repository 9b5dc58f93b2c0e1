"""A state machine that drives any spool and the one in memory side by side, and holds both to the invariants::

    TestAcme = spool_machine(make_spool).TestCase

``make_spool(options)`` gives an empty spool each time it is called. Hypothesis finds the order of acts; every act is done on
both spools, their answers are compared, and after each one every accepted delivery is in exactly one state and listed, every
change of state is legal and has its history row, fences never go back, and no body is on its way twice. At the end all faults
are healed and everything that waits must come to an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ticketmail.adapters.memory import create
from ticketmail.domain.outbound.delivery import FINAL, LEGAL, DeliveryState
from ticketmail.domain.ports.delivering import Completion, Resolution
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.domain.scope import Scope
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.spool_contract.kit import entry
from ticketmail.testing.spool_pair import Claim, Pair, Place

_S = DeliveryState
MakeSpool = Callable[[SpoolOptions], SpoolAdapter]
ALL = Scope.parse("all")
_LANES = {"reply": 10, "bulk": 1}
_SCOPES = ("all", "lane:bulk", "ticket:1", "to:u1@example.net", "domain:example.net", "tenant:acme", "cause:odd")
_ACT = {"actor": "ann", "reason": "a test"}
#: What a worker may make of a claim before its body left, and after: (state, spends, outcome, waits seconds).
_UNBEGUN = [
    (_S.QUEUED, True, "not-reached", 60.0),
    (_S.QUEUED, False, "", 5.0),
    (_S.FAILED, True, "refused", None),
    (_S.DEAD, True, "refused", None),
    (_S.SUPPRESSED, False, "", None),
]
_BEGUN = [
    (_S.SENT, True, "taken", None),
    (_S.SENT, True, "taken", None),
    (_S.QUEUED, True, "refused", 60.0),
    (_S.UNKNOWN, True, "unclear", 60.0),
    (_S.UNKNOWN, True, "unclear", None),
    (_S.FAILED, True, "refused", None),
    (_S.DEAD, True, "refused", None),
]
_REPLAYED = [_S.DEAD, _S.FAILED, _S.EXPIRED, _S.SUPPRESSED, _S.UNKNOWN]
_picks = st.integers(0, 1_000)


class SpoolMachine(RuleBasedStateMachine):
    """See the module. ``make_spool`` is set by :func:`spool_machine`."""

    make_spool: Callable[[], MakeSpool]

    @initialize()
    def begin_empty(self) -> None:
        """A clock, both spools, a worker."""
        self.clock = FakeClock()
        options = SpoolOptions(site="desk", clock=self.clock)
        self.pair = Pair(type(self).make_spool()(options), create("memory://", options), self.clock)
        self.entries: list[Any] = []
        self.claims: list[Claim] = []
        self.seen: dict[Place, Any] = {}
        self.rows: dict[Place, int] = {}
        self.bodies: dict[Place, int] = {}
        self.pair.add_worker()

    def teardown(self) -> None:
        """Heal everything; then all that waits comes to an end, and both spools agree to the last row."""
        if not hasattr(self, "pair"):
            return
        try:
            self._heal()
            for _ in range(6):
                self._run_all()
            waiting = [str(view) for view in self.pair.views().values() if view.state not in FINAL]
            assert not waiting, "after everything healed, this still waits"
            self.pair.compare_history()
            self.pair.compare_events()
        finally:
            self.pair.close()

    # --- the host ----------------------------------------------------------------------------------------------------------

    @rule(
        lane=st.sampled_from(sorted(_LANES)),
        ticket=st.sampled_from([None, "1", "2"]),
        people=st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
        tenant=st.sampled_from(["", "acme"]),
        later_s=st.sampled_from([0, 0, 0, 300]),
        lifetime_s=st.sampled_from([900, 86_400, 86_400]),
        replaces=st.none() | _picks,
    )
    def accept(self, **drawn: Any) -> None:
        """A mail is handed over. A second between mails: which of two equally old ones is claimed first is left open."""
        self.clock.advance(1)
        old = self._pick(self.entries, drawn["replaces"])
        new = entry(
            recipients=tuple(f"u{number}@example.net" for number in drawn["people"]),
            lane=drawn["lane"],
            lane_weight=_LANES[drawn["lane"]],
            ticket=drawn["ticket"],
            tenant=drawn["tenant"],
            not_before_us=self.clock.now_us() + drawn["later_s"] * 1_000_000,
            lifetime_us=drawn["lifetime_s"] * 1_000_000,
            supersedes=old.submission_id if old else None,
        )
        self.entries.append(new)
        assert self.pair.accept(new)
        assert not self.pair.accept(new), "the same submission once more is not new"

    # --- workers -----------------------------------------------------------------------------------------------------------

    @rule(worker=_picks, lane=st.sampled_from(sorted(_LANES)))
    def claim(self, worker: int, lane: str) -> None:
        """All that is due in a lane, by a worker that may be new."""
        if len(self.pair.alive) < 2:
            self.pair.add_worker()
        self.claims += self.pair.claim(self.pair.worker(worker), lane)

    @rule(worker=_picks, lane=st.sampled_from(sorted(_LANES)))
    def claim_and_begin(self, worker: int, lane: str) -> None:
        """The bodies of all that is due are about to leave."""
        self.claim(worker, lane)
        for claim in [claim for claim in self.claims if not claim.begun]:
            self._begin(claim)

    @precondition(lambda self: any(not claim.begun for claim in self.claims))
    @rule(pick=_picks)
    def begin(self, pick: int) -> None:
        """A body is about to leave."""
        self._begin(self._pick([claim for claim in self.claims if not claim.begun], pick))

    @precondition(lambda self: self.claims)
    @rule(pick=_picks, ends_as=_picks)
    def record(self, pick: int, ends_as: int) -> None:
        """What became of a claim."""
        claim = self._pick(self.claims, pick)
        self._record(claim, self._pick(_BEGUN if claim.begun else _UNBEGUN, ends_as))

    @precondition(lambda self: self.pair.old_claims)
    @rule(pick=_picks, taken=st.booleans())
    def record_late(self, pick: int, taken: bool) -> None:
        """A word about a claim that was over already, of a worker that may be dead."""
        claim = self._pick(self.pair.old_claims, pick)
        state, outcome = (_S.SENT, "taken") if taken and claim.begun else (_S.FAILED, "refused")
        late = Completion(claim.fenced, state, spends=True, outcome=outcome, account="a", cause="odd")
        assert self.pair.record(claim, late) is False

    @precondition(lambda self: any(not claim.begun for claim in self.claims))
    @rule(pick=_picks, later_s=st.sampled_from([None, 30]))
    def release(self, pick: int, later_s: int | None) -> None:
        """Given back unsent."""
        claim = self._pick([claim for claim in self.claims if not claim.begun], pick)
        self.pair.release(claim, None if later_s is None else self.clock.now_us() + later_s * 1_000_000)
        self._over(claim)

    @precondition(lambda self: self.claims)
    @rule(pick=_picks, dies=st.sampled_from([True, True, False]))
    def leave(self, pick: int, dies: bool) -> None:
        """A worker falls silent, and a living one takes its leases; or it retires, with whatever it held."""
        gone = self._pick(self.claims, pick).worker
        held = [claim for claim in self.claims if claim.worker is gone]
        if dies:
            assert sum(self.pair.kill(gone)) <= len(held)
        else:
            self.pair.retire(gone)
        for claim in held:  # each has its row, lease lost or unknown, which excuses one more copy
            if claim.begun:
                self.bodies[claim.place] -= 1
            self._over(claim)

    @precondition(lambda self: any(view.state is _S.UNKNOWN for view in self.seen.values()))
    @rule(state=st.sampled_from([_S.SENT, _S.QUEUED, _S.DEAD, _S.UNKNOWN]))
    def resolve(self, state: DeliveryState) -> None:
        """Looks for evidence that are due lead somewhere."""
        due_us = self.clock.now_us() + 60_000_000 if state in (_S.QUEUED, _S.UNKNOWN) else None
        for fenced in self.pair.unresolved():
            assert self.pair.resolve(Resolution(fenced, state, due_us, cause="odd", reason="seen"))

    # --- people and time ---------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 31, 61, 700, 4000]))
    def time_passes(self, seconds: int) -> None:
        """Living workers beat, and keep house."""
        self.clock.advance(seconds)
        self.pair.beat()
        self.pair.keep_house()

    @rule(act=st.sampled_from(["cancel", "pause", "pause for a while", "resume", "dismiss"]), scope=st.sampled_from(_SCOPES))
    def decide(self, act: str, scope: str) -> None:
        """An act of people. Cancelling all would leave little to look at."""
        chosen = Scope.parse("to:u2@example.net" if (act, scope) == ("cancel", "all") else scope)
        if act == "cancel":
            self.pair.both(lambda spool: spool.operating.cancel(chosen, **_ACT))
        elif act == "resume":
            self.pair.both(lambda spool: spool.operating.resume(chosen, **_ACT))
        elif act == "dismiss":
            self.pair.both(lambda spool: spool.operating.dismiss(chosen, **_ACT))
        else:
            now_us = self.clock.now_us()
            pause = Pause(chosen, now_us, None if act == "pause" else now_us + 60_000_000, "why", "ann")
            self.pair.both(lambda spool: spool.operating.pause(pause))

    @precondition(lambda self: any(view.state in _REPLAYED for view in self.seen.values()))
    @rule(scope=st.sampled_from(["all", "all", *_SCOPES]), state=st.sampled_from(_REPLAYED))
    def replay(self, scope: str, state: DeliveryState) -> None:
        """Dead letters live again; the same call twice is once."""

        self.pair.replay(Scope.parse(scope), state)
        assert self.pair.replay(Scope.parse(scope), state) == 0

    @precondition(lambda self: any(view.state is _S.UNKNOWN for view in self.seen.values()))
    @rule(pick=_picks, sent=st.booleans())
    def settle(self, pick: int, sent: bool) -> None:
        """A human knows what became of an unknown one."""
        id_, number = self._pick([place for place, view in self.seen.items() if view.state is _S.UNKNOWN], pick)
        assert self.pair.both(lambda spool: spool.operating.settle(id_, number, sent=sent, **_ACT))

    # --- what always holds -------------------------------------------------------------------------------------------------

    @invariant()
    def both_spools_agree_and_every_change_is_legal(self) -> None:
        """Each accepted delivery is in one state, listed once, and came there by a legal change that history tells of."""
        if not hasattr(self, "pair"):
            return
        views = self.pair.views()
        assert set(views) == {(one.submission_id, number) for one in self.entries for number in range(len(one.recipients))}
        for place, view in views.items():
            before = self.seen.get(place)
            if before is not None and view != before:
                self._is_a_legal_step(place, before, view)
        self.seen = views

    @invariant()
    def no_body_is_on_its_way_twice(self) -> None:
        """Bodies that may have arrived and that no unknown, lost lease or evidence excuses: one at most."""
        assert all(count <= 1 for count in getattr(self, "bodies", {}).values())

    def _is_a_legal_step(self, place: Place, before: Any, view: Any) -> None:
        assert view.fence >= before.fence, "a fence went back"
        assert view.attempts >= before.attempts
        if view.state is before.state:
            return
        # One act may claim what an earlier step of it had queued; none makes more steps than two.
        steps = LEGAL[before.state]
        assert view.state in steps or any(view.state in LEGAL[step] for step in steps), f"{before.state} became {view.state}"
        rows = self.pair.rows(place)
        if view.state is not _S.CLAIMED and (before.state, view.state) != (_S.CLAIMED, _S.QUEUED):
            assert rows > self.rows.get(place, 0), f"{before.state} became {view.state} without a history row"
        self.rows[place] = rows

    # --- small steps -------------------------------------------------------------------------------------------------------

    def _pick(self, things: Any, pick: int | None) -> Any:
        return things[pick % len(things)] if things and pick is not None else None

    def _begin(self, claim: Claim) -> None:
        if self.pair.begin(claim):
            claim.begun = True
            self.bodies[claim.place] = self.bodies.get(claim.place, 0) + 1
        else:
            self._over(claim)

    def _record(self, claim: Claim, ends_as: tuple[DeliveryState, bool, str, float | None]) -> None:
        state, spends, outcome, wait_s = ends_as
        due_us = None if wait_s is None else self.clock.now_us() + int(wait_s * 1_000_000)
        cause = "" if state is _S.SENT else "odd"
        done = Completion(claim.fenced, state, due_us, spends, "a", outcome, cause=cause, reply="a line")
        if self.pair.record(claim, done) and claim.begun and outcome != "taken":
            self.bodies[claim.place] -= 1  # refused: it did not arrive; unclear: an unknown row excuses it
        self._over(claim)

    def _over(self, claim: Claim) -> None:
        self.claims.remove(claim)
        self.pair.old_claims.append(claim)

    def _heal(self) -> None:
        for scope in _SCOPES:
            self.decide("resume", scope)
        for claim in list(self.claims):
            self._record(claim, (_S.QUEUED, True, "refused", 1.0))
        if not self.pair.alive:
            self.pair.add_worker()

    def _run_all(self) -> None:
        """An hour, with a worker to whom nothing goes wrong."""
        self.clock.advance(3600)
        self.pair.beat()
        self.pair.keep_house()
        self.pair.replay(ALL, _S.UNKNOWN)
        self.resolve(_S.SENT)
        for lane in sorted(_LANES):
            for claim in self.pair.claim(self.pair.worker(0), lane):
                self.claims.append(claim)
                self._begin(claim)
                if claim in self.claims:
                    self._record(claim, _BEGUN[0])
        self.both_spools_agree_and_every_change_is_legal()


def spool_machine(make_spool: MakeSpool) -> type[SpoolMachine]:
    """A machine over spools of ``make_spool``; pytest runs its ``TestCase``, whose ``settings`` may be set."""
    return type("SpoolMachineOf", (SpoolMachine,), {"make_spool": staticmethod(lambda: make_spool)})
