"""What a server teaches: one account against a model of a server, minutes of it in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.holds import hold_of
from ticketmail.domain.outbound.learning import Learned, Recent, forgotten, slowed, unblocked
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.outbound.settling import settle_fault, settle_success
from ticketmail.testing.smtpd.limits import RateMeter, ServerLimits

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
FREE = AccountLimits()
TOO_FAST = Fault("throttled-rate", FaultScope.ACCOUNT, Advice.WAIT, text="450 4.7.1 too much mail")
BUSY = Fault("gateway-busy", FaultScope.GATEWAY, Advice.WAIT, text="421 shutting down")


@dataclass
class Desk:
    """One worker with always something to send: asks every 100 ms, sends each mail at its turn."""

    limits: ServerLimits
    now_us: int = NOW
    state: AccountState = field(default_factory=AccountState)
    taken: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self.meter = RateMeter(self.limits, lambda: self.now_us / SECOND)

    def work(self, seconds: float) -> tuple[int, int]:
        """So long. What was taken and refused in that time."""
        taken, refused, end_us = self.taken, self.refused, self.now_us + int(seconds * SECOND)
        while self.now_us < end_us:
            self.state, grant = take(self.state, FREE, worker="w", permits=20, connections=5, now_us=self.now_us)
            issued_us, next_us = self.now_us, self.now_us + SECOND // 10
            for place in range(grant.permits):
                self.now_us = max(self.now_us, grant.first_us + place * grant.interval_us)
                self._send(issued_us)
            self.now_us = max(self.now_us, next_us)
        return self.taken - taken, self.refused - refused

    def _send(self, issued_us: int) -> None:
        if self.meter.refusal("mail") is None:
            self.taken += 1
            self.state, _ = settle_success(self.state, now_us=self.now_us, permits_issued_us=issued_us)
            return
        self.refused += 1
        recent = Recent(self.taken, NOW, min(self.taken, 20))
        self.state, _ = settle_fault(
            self.state, TOO_FAST, now_us=self.now_us, jitter=0.0, permits_issued_us=issued_us, recent=recent
        )


@settings(max_examples=25)
@given(st.integers(2, 150), st.sampled_from(["bucket", "grid", "fixed"]))
def test_a_limit_per_second_is_found_and_used_nearly_whole(rate: int, kind: str) -> None:
    desk = Desk(ServerLimits(rate=rate, kind=kind))  # type: ignore[arg-type]
    desk.work(120)

    taken, refused = desk.work(240)

    assert taken >= 0.9 * rate * 240
    assert refused <= 0.02 * taken
    assert desk.state.learned is not None
    assert 0.9 * rate <= desk.state.learned.pace <= 1.1 * rate


@pytest.mark.parametrize("rate", [60, 600, 1800])
def test_a_limit_per_minute_is_found_too(rate: int) -> None:
    desk = Desk(ServerLimits(rate=rate, window_s=60, kind="grid"))
    desk.work(240)

    taken, refused = desk.work(600)

    assert taken >= 0.9 * rate * 10
    assert refused <= 0.02 * taken + 2


def test_a_limit_that_moved_is_found_again() -> None:
    desk = Desk(ServerLimits(rate=40))
    desk.work(120)
    desk.meter.change(0.5)
    desk.work(30)
    taken, refused = desk.work(30)
    assert taken >= 0.9 * 20 * 30
    assert refused <= 0.05 * taken

    desk.meter.change(1.0)
    desk.work(180)
    taken, _ = desk.work(30)
    assert taken >= 0.9 * 40 * 30


def test_a_fall_that_ends_is_noticed_within_seconds() -> None:
    """As when another client of the account sends a burst: what was good before is looked for."""
    desk = Desk(ServerLimits(rate=40))
    desk.work(120)
    desk.meter.change(0.2)
    desk.work(15)
    desk.meter.change(1.0)
    desk.work(10)

    taken, refused = desk.work(15)

    assert taken >= 0.9 * 40 * 15
    assert refused <= 2


def test_a_fall_that_lasts_is_looked_back_from_less_and_less() -> None:
    desk = Desk(ServerLimits(rate=40))
    desk.work(120)
    desk.meter.change(0.5)
    _, early = desk.work(60)
    desk.work(60)

    taken, late = desk.work(240)

    assert early <= 25
    assert late <= 20
    assert taken >= 0.95 * 20 * 240


@pytest.mark.parametrize(("rate", "fallen"), [(2, 0.1), (2, 0.3), (10, 0.02)])
def test_a_slow_account_that_fell_for_long_is_found_again_within_minutes(rate: int, fallen: float) -> None:
    """As after a quarter of an hour of another client's newsletter: looks of 6 % were hours away from what had been good."""
    desk = Desk(ServerLimits(rate=rate))
    desk.work(300)
    desk.meter.change(fallen)
    desk.work(900)
    desk.meter.change(1.0)
    desk.work(660)

    taken, refused = desk.work(300)

    assert taken >= 0.95 * rate * 300
    assert refused <= 0.02 * taken


def test_a_slow_account_that_fell_for_good_is_refused_little() -> None:
    desk = Desk(ServerLimits(rate=2))
    desk.work(300)
    desk.meter.change(0.3)
    desk.work(900)

    taken, refused = desk.work(3600)

    assert taken >= 0.97 * 0.6 * 3600
    assert refused <= 0.02 * taken


def test_a_look_in_vain_changes_nothing_and_is_no_news() -> None:
    state = AccountState(learned=Learned(per_s=30, good=20, bad=20.4, back=20, since_us=NOW - SECOND, cycle_us=NOW - 60 * SECOND))

    after, note = settle_fault(state, TOO_FAST, now_us=NOW, jitter=0.0, permits_issued_us=NOW - 1)

    assert after.learned is not None
    assert (after.learned.per_s, after.learned.good, after.learned.bad, after.learned.back) == (20, 20, 20.4, 0)
    assert note == ""


@pytest.mark.parametrize(
    ("tried_s", "used", "paces"), [(1, 40, (4, 4, 5, 40)), (4, 40, (4, 4, 5, 30)), (4, 160, (30, 30, 40, 0))]
)
def test_what_was_good_before_a_fall_and_is_refused_late_is_good_but_for_a_little(
    tried_s: int, used: int, paces: tuple[float, ...]
) -> None:
    """A neighbour's burst is over, and the pace before it had been a little too fast. Refused at once, the burst goes on. Few
    mails are not worth another refusal."""
    began_us = NOW - tried_s * SECOND
    look = Learned(
        per_s=40, good=4, bad=5, back=4, was=40, looks=1, since_us=began_us, used=used, cycle_us=began_us - 60 * SECOND
    )

    after, _ = settle_fault(AccountState(learned=look), TOO_FAST, now_us=NOW, jitter=0.0, permits_issued_us=NOW - 1)

    assert after.learned is not None
    assert (after.learned.per_s, after.learned.good, after.learned.bad, after.learned.was) == paces


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0.01, 200), st.booleans()), max_size=60))
def test_whatever_a_server_does_the_pace_stays_a_pace(course: list[tuple[float, bool]]) -> None:
    """Above the floor, never between a bracket's wrong ends, and the document can be read again."""
    state, now_us = AccountState(), NOW
    for passed_s, refuses in course:
        now_us += int(passed_s * SECOND)
        state, grant = take(state, FREE, worker="w", permits=5, connections=5, now_us=now_us)
        if grant.permits and refuses:
            state, _ = settle_fault(
                state, TOO_FAST, now_us=now_us, jitter=0.0, permits_issued_us=now_us, recent=Recent(9, now_us - SECOND, 9)
            )
        elif grant.permits:
            state, _ = settle_success(state, now_us=now_us, permits_issued_us=now_us)
        learned = state.learned
        if learned is not None:
            assert not learned.per_s or learned.per_s >= 1 / 60
            assert learned.back <= learned.per_s
            assert not learned.good or learned.good <= learned.per_s or learned.back
        assert AccountState.from_json(state.to_json()) == state


def test_refusals_of_permits_given_before_the_cut_are_echoes() -> None:
    learned, _ = slowed(None, TOO_FAST, now_us=NOW, issued_us=None, recent=Recent(50, NOW - SECOND, 50))

    echoed, note = slowed(learned, TOO_FAST, now_us=NOW + SECOND, issued_us=NOW - 1, recent=Recent())

    assert (echoed.per_s, echoed.refused_us, note) == (learned.per_s, learned.refused_us, "")


def test_what_the_server_said_is_kept_with_its_date_and_survives_as_a_document() -> None:
    state, _ = settle_fault(AccountState(), TOO_FAST, now_us=NOW, jitter=0.0, recent=Recent(50, NOW - SECOND, 50))

    again = AccountState.from_json(state.to_json())

    assert again == state
    assert again.learned is not None
    assert (again.learned.evidence, again.learned.learned_us) == (TOO_FAST.text, NOW)
    assert not forgotten(again.learned, NOW + 29 * 86_400 * SECOND)
    assert forgotten(again.learned, NOW + 31 * 86_400 * SECOND)


def test_the_next_mail_waits_for_its_turn_and_says_why() -> None:
    state = AccountState(learned=Learned(per_s=0.5, good=0.5, next_us=NOW + 2 * SECOND))

    hold = hold_of(state, FREE, now_us=NOW)

    assert hold is not None
    assert (hold.kind, hold.cause) == ("rate", "limit-learned")
    assert "0.5 mails a second" in hold.reason
    assert hold.until_us is not None
    assert hold_of(state, FREE, now_us=hold.until_us) is None


def test_an_outage_does_not_teach_a_pace() -> None:
    state, _ = settle_fault(AccountState(), BUSY, now_us=NOW, jitter=0.0)
    assert state.learned is None, "nothing had gone through just before"

    recent = Recent(100, NOW - SECOND, 100)
    state, _ = settle_fault(AccountState(), BUSY, now_us=NOW, jitter=0.0, recent=recent)
    assert state.learned is not None
    back, _ = unblocked(state.learned, now_us=NOW + 600 * SECOND)
    assert back.per_s == 0


def test_a_recipients_fault_teaches_nothing() -> None:
    fault = replace(TOO_FAST, scope=FaultScope.RECIPIENT, advice=Advice.RETRY)

    state, _ = settle_fault(AccountState(), fault, now_us=NOW, jitter=0.0, recent=Recent(9, NOW, 9))

    assert state == AccountState()
