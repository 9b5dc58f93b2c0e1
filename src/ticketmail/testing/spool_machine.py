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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ticketmail.adapters.memory import create
from ticketmail.domain.outbound.delivery import FINAL, LEGAL, DeliveryState
from ticketmail.domain.ports.accepting import Entry
from ticketmail.domain.ports.delivering import Completion, Resolution
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.domain.scope import Scope, ScopeKind
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
_mails = st.fixed_dictionaries(
    {
        "lane": st.sampled_from(sorted(_LANES)),
        "ticket": st.sampled_from([None, "1", "2"]),
        "people": st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
        "tenant": st.sampled_from(["", "acme", "globex"]),
        "later_s": st.sampled_from([0, 0, 0, 300]),
        "lifetime_s": st.sampled_from([86_400, 900]),
        "replaces": st.none() | st.none() | _picks,
    }
)
_WORKER_ACTS = (
    *(
        "claim",
        "claim",
        "claim_and_begin",
        "claim_and_begin",
        "begin_one",
        "begin_one",
        "record_one",
        "record_one",
        "record_one",
        "record_one",
    ),
    *("record_late", "record_late", "release", "die", "die", "retire", "resolve", "wait", "wait"),
)
_HUMAN_ACTS = ("cancel", "cancel", "pause", "resume", "dismiss", "replay", "settle")
#: Drawn alike, so what should happen more often is named more often.
_acts = st.sampled_from(("accept",) * 7 + _WORKER_ACTS + _HUMAN_ACTS)


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

    @rule(act=_acts, scope=st.sampled_from(_SCOPES), mail=_mails, pick=_picks, more=_picks)
    def act(self, act: str, scope: str, mail: dict[str, Any], pick: int, more: int) -> None:
        """Anybody does something. One rule for all: hypothesis leaves out rules at random, and a world without hosts, or without
        workers, tells little."""
        if act == "accept":
            self._accept(**mail)
        elif act in _HUMAN_ACTS:
            getattr(self, f"_{act}")(Scope.parse(scope), pick)
        else:
            getattr(self, f"_{act}")(pick, more)

    def _accept(self, **drawn: Any) -> None:
        """A second between mails: which of two equally old ones is claimed first is left open."""
        self.clock.advance(1)
        new = self._entry(**drawn)
        self.entries.append(new)
        assert self.pair.accept(new)
        assert not self.pair.accept(new), "the same submission once more is not new"

    def _entry(self, lane: str, people: list[int], later_s: int, lifetime_s: int, replaces: int | None, **more: Any) -> Entry:
        old = _pick(self.entries, replaces)
        return entry(
            recipients=tuple(f"u{number}@example.net" for number in people),
            lane=lane,
            lane_weight=_LANES[lane],
            not_before_us=self.clock.now_us() + later_s * 1_000_000,
            lifetime_us=lifetime_s * 1_000_000,
            supersedes=old.submission_id if old else None,
            **more,
        )

    # --- workers, people and time ------------------------------------------------------------------------------------------

    def _wait(self, pick: int, _: int) -> None:
        """Time passes; living workers beat, and keep house."""
        self.clock.advance(_pick([1, 61, 61, 61, 700, 4000], pick))
        self.pair.beat()
        self.pair.keep_house()

    def _claim(self, pick: int, lane: int) -> None:
        """All that is due in a lane, by one of two workers, who may be new."""
        while len(self.pair.alive) < 2:
            self.pair.add_worker()
        self.claims += self.pair.claim(self.pair.worker(pick), sorted(_LANES)[lane % len(_LANES)])

    def _claim_and_begin(self, pick: int, lane: int) -> None:
        self._claim(pick, lane)
        for claim in [claim for claim in self.claims if not claim.begun]:
            self._begin(claim)

    def _begin_one(self, pick: int, _: int) -> None:
        claim = _pick([claim for claim in self.claims if not claim.begun], pick)
        if claim is not None:
            self._begin(claim)

    def _record_one(self, pick: int, ends_as: int) -> None:
        claim = _pick(self.claims, pick)
        if claim is not None:
            self._record(claim, _pick(_BEGUN if claim.begun else _UNBEGUN, ends_as))

    def _record_late(self, pick: int, what: int) -> None:
        """A word about a claim that was over already, of a worker that may be dead."""
        claim = _pick(self.pair.old_claims, pick)
        if claim is not None:
            state, outcome = (_S.SENT, "taken") if what % 2 and claim.begun else (_S.FAILED, "refused")
            late = Completion(claim.fenced, state, spends=True, outcome=outcome, account="a", cause="odd")
            assert self.pair.record(claim, late) is False

    def _release(self, pick: int, later: int) -> None:
        claim = _pick([claim for claim in self.claims if not claim.begun], pick)
        if claim is not None:
            self.pair.release(claim, self.clock.now_us() + 30_000_000 if later % 2 else None)
            self._over(claim)

    def _die(self, pick: int, _: int) -> None:
        """A worker falls silent, and a living one takes its leases."""
        claim = _pick(self.claims, pick)
        if claim is not None:
            held = [one for one in self.claims if one.worker is claim.worker]
            assert sum(self.pair.kill(claim.worker)) <= len(held)
            self._lose(held)

    def _retire(self, pick: int, _: int) -> None:
        """An orderly end, with whatever the worker held."""
        claim = _pick(self.claims, pick)
        if claim is not None:
            self.pair.retire(claim.worker)
            self._lose([one for one in self.claims if one.worker is claim.worker])

    def _resolve(self, state: int, _: int) -> None:
        """Looks for evidence that are due lead somewhere."""
        found = _pick([_S.SENT, _S.QUEUED, _S.DEAD, _S.UNKNOWN], state)
        due_us = self.clock.now_us() + 60_000_000 if found in (_S.QUEUED, _S.UNKNOWN) else None
        for fenced in self.pair.unresolved():
            assert self.pair.resolve(Resolution(fenced, found, due_us, cause="odd", reason="seen"))

    def _cancel(self, scope: Scope, pick: int) -> None:
        """One mail, mostly, and rather one that a worker has: cancelling many leaves little to look at."""
        id_ = _pick([claim.place[0] for claim in self.claims] or [one.submission_id for one in self.entries], pick)
        few = scope.kind in (ScopeKind.TICKET, ScopeKind.CAUSE) or id_ is None
        chosen = scope if few else Scope.parse(f"id:{id_}")
        self.pair.both(lambda spool: spool.operating.cancel(chosen, **_ACT))

    def _pause(self, scope: Scope, seconds: int) -> None:
        now_us = self.clock.now_us()
        until_us = None if scope.kind is ScopeKind.CAUSE else now_us + (seconds % 60) * 1_000_000
        self.pair.both(lambda spool: spool.operating.pause(Pause(scope, now_us, until_us, "why", "ann")))

    def _resume(self, scope: Scope, _: int) -> None:
        self.pair.both(lambda spool: spool.operating.resume(scope, **_ACT))

    def _dismiss(self, scope: Scope, _: int) -> None:
        self.pair.both(lambda spool: spool.operating.dismiss(scope, **_ACT))

    def _replay(self, scope: Scope, state: int) -> None:
        """Dead letters live again; the same call twice is once."""
        chosen = _pick(_REPLAYED, state)
        self.pair.replay(scope, chosen)
        assert self.pair.replay(scope, chosen) == 0

    def _settle(self, _: Scope, pick: int) -> None:
        """A human knows what became of an unknown one."""
        place = _pick([place for place, view in self.seen.items() if view.state is _S.UNKNOWN], pick)
        if place is not None:
            id_, number = place
            assert self.pair.both(lambda spool: spool.operating.settle(id_, number, sent=pick % 2 == 0, **_ACT))

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

    def _lose(self, held: list[Claim]) -> None:
        """Each has its row, lease lost or unknown, which excuses one more copy."""
        for claim in held:
            if claim.begun:
                self.bodies[claim.place] -= 1
            self._over(claim)

    def _over(self, claim: Claim) -> None:
        self.claims.remove(claim)
        self.pair.old_claims.append(claim)

    def _heal(self) -> None:
        for scope in _SCOPES:
            self._resume(Scope.parse(scope), 0)
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
        self._resolve(0, 0)
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


def _pick(things: Any, pick: int | None) -> Any:
    return things[pick % len(things)] if things and pick is not None else None
