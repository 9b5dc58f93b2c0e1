"""An account's shared state: what any number of workers may do together, whatever happens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from ticketmail.domain.errors import ContractBroken, SettingsError
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.holds import hold_of
from ticketmail.domain.outbound.learning import Learned
from ticketmail.domain.outbound.leases import LEASE_US
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused, Reply, Unclear
from ticketmail.domain.outbound.permits import Grant, charge, drop_worker, give_back, take
from ticketmail.domain.outbound.routing import groups_of, serving
from ticketmail.domain.outbound.settling import settle_fault, settle_success
from ticketmail.domain.outbound.windows import Window

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
FREE = AccountLimits()
LIMITS = AccountLimits.parse(["10/s", "60/min", "200/h"], connections=3)
DOWN = classify(NotReached("connection refused"))
THROTTLE = classify(Refused(Reply(450, "too much mail", "4.7.1"), Phase.MAIL))
QUOTA = classify(Refused(Reply(550, "Daily user sending quota exceeded.", "5.4.5"), Phase.DOT))
BAD_LOGIN = classify(Refused(Reply(535, "no", "5.7.8"), Phase.AUTH))
ACCOUNT_FAULTS = st.sampled_from([DOWN, THROTTLE, QUOTA, BAD_LOGIN, replace(DOWN, retry_after_s=5.0)])
FAULTS = st.builds(
    Fault,
    st.sampled_from(list(CAUSES)),
    st.sampled_from(FaultScope),
    st.sampled_from(Advice),
    retry_after_s=st.none() | st.floats(0, 90_000),
    alarm=st.booleans(),
)


def grant(state: AccountState, limits: AccountLimits = FREE, *, now_us: int = NOW, permits: int = 1, worker: str = "w") -> Grant:
    return take(state, limits, worker=worker, permits=permits, connections=1, now_us=now_us)[1]


def after(state: AccountState, *faults: Fault, now_us: int = NOW) -> AccountState:
    for fault in faults:
        state, _ = settle_fault(state, fault, now_us=now_us, jitter=0.0)
    return state


# --- the state as a document ------------------------------------------------------------------------------------------------


@given(st.lists(FAULTS, max_size=8), st.integers(0, 3))
def test_the_state_comes_back_from_its_document_as_it_was(faults: list[Fault], workers: int) -> None:
    state = after(AccountState(), *faults)
    for number in range(workers):
        state, _ = take(state, LIMITS, worker=f"w{number}", permits=2, connections=1, now_us=NOW + number)

    assert AccountState.from_json(state.to_json()) == state


def test_a_new_account_is_an_empty_document() -> None:
    assert AccountState.from_json(None) == AccountState()
    assert AccountState().to_json() == b"{}"


def test_what_a_newer_release_wrote_is_kept() -> None:
    content = b'{"learned":{"mood":"bad"},"breaker":{"mood":"good"},"windows":{"messages/1s":{"tat_us":1,"seen":2}}}'
    state, _ = take(AccountState.from_json(content), LIMITS, worker="w", permits=1, connections=1, now_us=NOW)
    again = json.loads(after(state, DOWN).to_json())

    assert again["learned"]["mood"] == "bad"
    assert again["breaker"]["mood"] == "good"
    assert again["windows"]["messages/1s"]["seen"] == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"leases":3}'])
def test_a_document_that_is_none_is_named(content: bytes) -> None:
    with pytest.raises(ContractBroken, match="cannot be read"):
        AccountState.from_json(content)


# --- limits -----------------------------------------------------------------------------------------------------------------


def test_limits_are_read_from_settings() -> None:
    limits = AccountLimits.parse(["30/min", "2000/day rolling recipients"], connections=3, share=0.7)

    assert [window.limit for window in limits.ours] == [21, 1400]
    assert limits.slots == 2


@pytest.mark.parametrize(("connections", "share"), [(0, 1.0), (1, 0.0), (1, 1.1)])
def test_limits_that_cannot_be_are_refused(connections: int, share: float) -> None:
    with pytest.raises(SettingsError):
        AccountLimits(connections=connections, share=share)


def test_of_two_limits_for_the_same_time_the_smaller_counts() -> None:
    assert [window.limit for window in AccountLimits.parse(["30/min", "10/min"]).ours] == [10]


def test_without_limits_all_is_granted() -> None:
    made = grant(AccountState(), permits=500)

    assert (made.permits, made.hold) == (500, None)


def test_a_permit_is_used_within_a_moment() -> None:
    assert grant(AccountState(), LIMITS).until_us == NOW + SECOND // 20
    assert grant(AccountState()).until_us == NOW + SECOND


@given(st.integers(1, 20), st.lists(st.integers(0, 2 * SECOND), max_size=30))
def test_a_hold_consumes_nothing_and_has_an_end_at_which_it_is_over(permits: int, gaps: list[int]) -> None:
    state, now_us = AccountState(), NOW
    for gap_us in gaps:
        now_us += gap_us
        before = state.windows
        state, made = take(state, LIMITS, worker="w", permits=permits, connections=1, now_us=now_us)
        assert (made.hold is None) == (made.permits > 0)
        if made.hold is not None:
            assert state.windows == before
            assert made.hold.until_us is not None
            assert made.hold.until_us > now_us
            assert grant(state, LIMITS, now_us=made.hold.until_us).hold is None


def test_either_all_windows_count_a_permit_or_none_does() -> None:
    limits = AccountLimits.parse(["1000/h", "3/day"])
    state, first = take(AccountState(), limits, worker="w", permits=10, connections=1, now_us=NOW)
    state, second = take(state, limits, worker="w", permits=10, connections=1, now_us=NOW)

    assert (first.permits, second.permits) == (3, 0)
    assert second.hold is not None
    assert (second.hold.kind, second.hold.cause) == ("quota", "limit-quota")
    assert {key: sum(one.slots.values()) for key, one in state.windows.items()} == {"messages/3600s": 3, "messages/86400s": 3}


def test_a_rate_hold_speaks_to_people() -> None:
    limits = AccountLimits.parse(["1/min"])
    state, _ = take(AccountState(), limits, worker="w", permits=1, connections=1, now_us=NOW)
    hold = hold_of(state, limits, now_us=NOW)

    assert hold is not None
    assert (hold.kind, hold.reason) == ("rate", "The account's limit of 1/min is used up.")


def test_permits_given_back_can_be_taken_again_by_another_worker() -> None:
    limits = AccountLimits.parse(["4/h"])
    state, _ = take(AccountState(), limits, worker="a", permits=4, connections=1, now_us=NOW)
    state = give_back(state, "a", 3, NOW + 1)

    assert grant(state, limits, worker="b", permits=9, now_us=NOW + 2).permits == 3


def test_nobody_gives_back_what_it_was_not_given() -> None:
    limits = AccountLimits.parse(["4/h"])
    state, _ = take(AccountState(), limits, worker="a", permits=2, connections=1, now_us=NOW)

    assert give_back(state, "stranger", 2, NOW) == state
    twice = give_back(give_back(state, "a", 2, NOW), "a", 2, NOW)
    assert grant(twice, limits, permits=9, worker="b").permits == 4


def test_a_reserve_is_left_to_the_lanes_that_asked_for_it() -> None:
    limits = AccountLimits.parse(["10/day"])
    state, low = take(AccountState(), limits, worker="w", permits=99, connections=1, now_us=NOW, reserve=0.2)
    state, none = take(state, limits, worker="w", permits=99, connections=1, now_us=NOW, reserve=0.2)
    state, high = take(state, limits, worker="w", permits=99, connections=1, now_us=NOW)

    assert (low.permits, none.permits, high.permits) == (8, 0, 2)


@pytest.mark.parametrize(
    "limit", ["1/h recipients", "3/h recipients", "3/day@UTC recipients", "30/min recipients", "9/s recipients"]
)
@pytest.mark.parametrize("recipients", [2, 4, 500])
def test_a_mail_with_more_recipients_than_a_window_has_room_for_passes_when_it_is_alone(limit: str, recipients: int) -> None:
    limits = AccountLimits.parse([limit])
    state, grant = take(AccountState(), limits, worker="w", permits=1, connections=1, now_us=NOW)
    state, hold = charge(state, limits, worker="w", recipients=recipients - 1, now_us=NOW)
    assert (grant.permits, hold) == (1, None)

    _, after = take(state, limits, worker="w", permits=1, connections=1, now_us=NOW + 1000)
    assert after.hold is not None or recipients <= limits.ours[0].limit, "what was over is waited for"


def test_recipients_beyond_the_first_and_bytes_are_charged_all_or_nothing() -> None:
    limits = AccountLimits.parse(["10/day recipients", "1000/h bytes"])
    state, made = take(AccountState(), limits, worker="w", permits=2, connections=1, now_us=NOW)
    state, hold = charge(state, limits, worker="w", recipients=5, size_bytes=600, now_us=NOW)
    same, refused = charge(state, limits, worker="w", recipients=1, size_bytes=600, now_us=NOW)

    assert (made.permits, hold) == (2, None)
    assert refused is not None
    assert same is state
    assert charge(state, limits, worker="w", recipients=3, size_bytes=400, now_us=NOW)[1] is None
    assert charge(state, limits, worker="w", recipients=4, size_bytes=0, now_us=NOW)[1] is not None


def test_a_mail_larger_than_a_whole_window_passes_once_it_is_empty() -> None:
    limits = AccountLimits.parse(["1000/h bytes"])
    state, hold = charge(AccountState(), limits, worker="w", size_bytes=5000, now_us=NOW)

    assert hold is None
    assert hold_of(state, limits, now_us=NOW) is not None


# --- connections ------------------------------------------------------------------------------------------------------------


def connect(state: AccountState, worker: str, wanted: int, *, in_use: int = 0, now_us: int = NOW) -> tuple[AccountState, int]:
    state, made = take(state, LIMITS, worker=worker, permits=0, connections=wanted, in_use=in_use, now_us=now_us)
    return state, made.connections


def test_a_dead_workers_connections_are_free_after_its_lease_or_at_once_if_it_is_dropped() -> None:
    state, got = connect(AccountState(), "dead", 3)
    assert got == 3
    assert connect(state, "b", 3, now_us=NOW + LEASE_US - 1)[1] == 0
    assert connect(state, "b", 3, now_us=NOW + LEASE_US)[1] == 3
    assert connect(drop_worker(state, "dead"), "b", 3)[1] == 3


def test_renewing_keeps_them() -> None:
    state, _ = connect(AccountState(), "a", 3)
    state, _ = connect(state, "a", 3, now_us=NOW + LEASE_US - 1)

    assert connect(state, "b", 3, now_us=NOW + LEASE_US + 1)[1] == 0


def test_a_worker_that_has_all_shares_when_another_comes() -> None:
    state, _ = connect(AccountState(), "a", 3, in_use=0)
    state, none = connect(state, "b", 3)
    state, less = connect(state, "a", 3, in_use=3)
    assert (none, less) == (0, 2), "told to close one"
    assert connect(state, "b", 3)[1] == 0, "which is still open"
    state, _ = connect(state, "a", 3, in_use=2)
    assert connect(state, "b", 3)[1] == 1


def test_without_a_connection_no_permit_is_spent() -> None:
    state, _ = connect(AccountState(), "a", 3)
    after_b, made = take(state, LIMITS, worker="b", permits=5, connections=3, now_us=NOW)

    assert made.hold is not None
    assert (made.hold.kind, made.permits) == ("connections", 0)
    assert after_b.windows == {}


def test_dropping_a_stranger_changes_nothing() -> None:
    state, _ = connect(AccountState(), "a", 3)

    assert drop_worker(state, "b") is state


# --- faults -----------------------------------------------------------------------------------------------------------------


@given(FAULTS, st.lists(ACCOUNT_FAULTS, max_size=6))
def test_a_fault_of_recipient_or_message_never_touches_an_account(fault: Fault, before: list[Fault]) -> None:
    state = after(AccountState(), *before)
    harmless = replace(fault, scope=FaultScope.RECIPIENT)

    assert settle_fault(state, harmless, now_us=NOW, jitter=0.5) == (state, "")
    assert settle_fault(state, harmless, now_us=NOW, jitter=0.5)[0] is state
    assert settle_fault(state, replace(fault, scope=FaultScope.MESSAGE), now_us=NOW, jitter=0.5)[0] is state


@given(st.lists(st.tuples(FAULTS, st.integers(0, 4000 * SECOND)), max_size=20), st.floats(0, 1, exclude_max=True))
def test_every_hold_has_an_end_and_the_account_can_be_tried_then(steps: list[tuple[Fault, int]], jitter: float) -> None:
    state, now_us = AccountState(), NOW
    for fault, gap_us in steps:
        now_us += gap_us
        state, _ = settle_fault(state, fault, now_us=now_us, jitter=jitter)
    for _ in range(10):
        hold = hold_of(state, FREE, now_us=now_us)
        if hold is None:
            break
        assert hold.until_us is not None
        assert now_us < hold.until_us <= now_us + int(1.1 * 86_400 * SECOND) + SECOND
        assert hold.reason.endswith(".")
        now_us = hold.until_us

    assert grant(state, now_us=now_us).permits == 1


@given(st.lists(st.tuples(ACCOUNT_FAULTS, st.integers(0, 100 * SECOND)), max_size=20))
def test_a_later_fault_never_shortens_a_hold(steps: list[tuple[Fault, int]]) -> None:
    state, now_us = AccountState(), NOW
    for fault, gap_us in steps:
        now_us += gap_us
        before = hold_of(state, FREE, now_us=now_us)
        state, _ = settle_fault(state, fault, now_us=now_us, jitter=0.0)
        hold = hold_of(state, FREE, now_us=now_us)
        if before is not None:
            assert hold is not None
            assert hold.kind != before.kind or (hold.until_us or 0) >= (before.until_us or 0)


HOUR = 3600 * SECOND


@pytest.mark.parametrize("ahead_us", [HOUR, 20 * 365 * 24 * HOUR])
@pytest.mark.parametrize("limits", [["30/min"], ["20/min recipients"], ["2000/day"], ["2000/day@Europe/Berlin"]])
def test_a_clock_that_was_ahead_and_is_set_right_stops_no_account(ahead_us: int, limits: list[str]) -> None:
    """A machine that wakes up with a wrong clock, sends, and is corrected."""
    told = AccountLimits.parse(limits)
    state, _ = take(AccountState(), told, worker="w", permits=1, connections=1, now_us=NOW + ahead_us)

    after_it, got = take(state, told, worker="w", permits=1, connections=1, now_us=NOW)

    assert (got.permits, got.first_us) == (1, NOW)
    assert limits != ["30/min"] or hold_of(after_it, told, now_us=NOW) is not None, "and the pace is kept to again"


@pytest.mark.parametrize("fault", [THROTTLE, QUOTA])
def test_a_hold_from_a_clock_that_was_ahead_is_tried_at_once(fault: Fault) -> None:
    state = after(AccountState(), fault, now_us=NOW + HOUR)

    assert hold_of(state, FREE, now_us=NOW + HOUR) is not None
    assert grant(state, permits=5).permits == 1


def test_a_taught_pace_from_a_clock_that_was_ahead_goes_on_at_once() -> None:
    learned = Learned(per_s=2.0, back=2.0, good=2.0, next_us=NOW + HOUR)

    first = grant(AccountState(learned=learned), permits=5)

    assert first.permits == 1
    assert first.first_us == NOW


@pytest.mark.parametrize(("asked", "serves"), [("4 hours", ("b",)), ("30 minutes", ())])
def test_another_account_takes_over_where_the_server_asks_to_wait_for_hours_not_for_minutes(
    asked: str, serves: tuple[str, ...]
) -> None:
    state = after(AccountState(), classify(Refused(Reply(450, f"too much mail, try again in {asked}", "4.7.1"), Phase.MAIL)))

    held = hold_of(state, FREE, now_us=NOW + 1500 * SECOND)

    assert held is not None
    assert serving(groups_of(["a", "b"]), {"a": held, "b": None}, {}) == serves


def test_a_throttle_holds_for_a_second_then_two_up_to_a_minute() -> None:
    state, now_us, held = AccountState(), NOW, []
    for _ in range(9):
        state = after(state, THROTTLE, now_us=now_us)
        hold = hold_of(state, FREE, now_us=now_us)
        assert hold is not None
        assert hold.kind == "throttle"
        held.append(((hold.until_us or 0) - now_us) // SECOND)
        now_us = hold.until_us or 0

    assert held == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_hold_that_is_refused_again_doubles_and_one_mail_that_is_taken_ends_it() -> None:
    state, now_us, lengths = AccountState(), NOW, []
    for _ in range(4):
        state = after(state, THROTTLE, now_us=now_us)
        assert state.throttle is not None
        lengths.append((state.throttle.until_us - now_us) // SECOND)
        now_us = state.throttle.until_us
    assert lengths == [1, 2, 4, 8]

    well, _ = settle_success(state, now_us=now_us)
    assert well.throttle is None


def test_after_a_hold_one_mail_is_tried_and_the_others_wait_for_it() -> None:
    state = after(AccountState(), THROTTLE)
    state, first = take(state, FREE, worker="a", permits=10, connections=1, now_us=NOW + SECOND)
    state, second = take(state, FREE, worker="b", permits=10, connections=1, now_us=NOW + SECOND + 1)

    assert (first.permits, second.permits) == (1, 0)
    assert second.hold is not None


def test_a_mail_whose_permit_is_older_than_the_hold_does_not_end_it() -> None:
    state = after(AccountState(), THROTTLE)

    assert settle_success(state, now_us=NOW + 2 * SECOND, permits_issued_us=NOW - 1)[0].throttle is not None
    assert settle_success(state, now_us=NOW + 2 * SECOND, permits_issued_us=NOW + SECOND)[0].throttle is None


def test_refusals_of_permits_older_than_the_hold_are_its_echo() -> None:
    state = after(AccountState(), THROTTLE)
    late_us = NOW + 10 * SECOND

    echoed, note = settle_fault(state, THROTTLE, now_us=late_us, jitter=0.0, permits_issued_us=NOW - 1)
    assert echoed.throttle == state.throttle
    assert note == ""
    again, _ = settle_fault(state, THROTTLE, now_us=late_us, jitter=0.0, permits_issued_us=NOW + 5 * SECOND)
    assert again.throttle is not None
    assert again.throttle.until_us == late_us + 2 * SECOND


def test_a_server_that_says_when_to_come_back_is_obeyed() -> None:
    state = after(AccountState(), replace(THROTTLE, retry_after_s=42.0))
    hold = hold_of(state, FREE, now_us=NOW)
    assert hold is not None
    assert hold.until_us == NOW + 42 * SECOND

    hold = hold_of(after(AccountState(), replace(DOWN, retry_after_s=42.0)), FREE, now_us=NOW)
    assert hold is not None
    assert hold.until_us == NOW + 42 * SECOND


def test_a_used_up_quota_is_probed_by_one_mail_an_hour_until_one_is_taken() -> None:
    state, note = settle_fault(AccountState(), QUOTA, now_us=NOW, jitter=0.0)
    hour_us = NOW + 3600 * SECOND
    assert "Quota used up" in note
    assert grant(state, permits=9).hold == hold_of(state, FREE, now_us=NOW)

    state, probe = take(state, FREE, worker="w", permits=9, connections=1, now_us=hour_us)
    assert probe.permits == 1
    assert grant(state, permits=9, now_us=hour_us, worker="x").permits == 0, "one at a time"

    state, note = settle_fault(state, QUOTA, now_us=hour_us + 1, jitter=0.0)
    assert note == "", "once is enough"
    assert grant(state, permits=9, now_us=hour_us + 2).permits == 0

    state, probe = take(state, FREE, worker="w", permits=9, connections=1, now_us=hour_us + 3600 * SECOND + 1)
    assert probe.permits == 1
    state, note = settle_success(state, now_us=hour_us + 3601 * SECOND)
    assert "Sending again" in note
    assert grant(state, permits=9, now_us=hour_us + 3601 * SECOND).permits == 9


def test_a_bad_login_stops_the_account_at_once_and_is_tried_every_five_minutes() -> None:
    state, note = settle_fault(AccountState(), BAD_LOGIN, now_us=NOW, jitter=0.0)
    made = grant(state)

    assert made.hold is not None
    assert (made.hold.kind, made.hold.cause, made.hold.until_us) == ("breaker", "auth-failed", NOW + 300 * SECOND)
    assert "Stopped" in note
    assert grant(state, permits=9, now_us=NOW + 300 * SECOND).permits == 1


def test_a_server_that_is_down_stops_the_account_after_five_faults() -> None:
    assert grant(after(AccountState(), *[DOWN] * 4)).hold is None
    assert grant(after(AccountState(), *[DOWN] * 5)).hold is not None


def test_lost_answers_stop_the_account_too_for_sending_on_would_make_copies() -> None:
    lost = classify(Unclear("cut after the dot"))

    assert grant(after(AccountState(), *[lost] * 5)).hold is not None


def test_one_mail_with_a_bad_sender_domain_does_not_stop_the_account() -> None:
    spoofed = classify(Refused(Reply(550, "x", "5.7.26"), Phase.DOT))

    assert spoofed.alarm
    state = AccountState()
    for _ in range(10):
        state, _ = settle_success(after(state, spoofed), now_us=NOW)
        state, _ = settle_success(state, now_us=NOW)
        assert grant(state).hold is None


def test_a_refused_reputation_twice_in_a_row_stops_the_account_so_that_another_takes_over() -> None:
    listed = classify(Refused(Reply(550, "blocked using zen.spamhaus.org", "5.7.1"), Phase.RCPT))
    hold = grant(after(AccountState(), listed, listed)).hold

    assert hold is not None
    assert (hold.kind, hold.cause, hold.until_us) == ("breaker", "reputation", NOW + 900 * SECOND)
    assert serving(groups_of(["a", "b"]), {"a": hold}, {}) == ("b",)


def test_a_success_on_a_healthy_account_changes_nothing() -> None:
    state, _ = take(AccountState(), LIMITS, worker="w", permits=1, connections=1, now_us=NOW)

    assert settle_success(state, now_us=NOW) == (state, "")
    assert settle_success(state, now_us=NOW)[0] is state


def test_a_probe_that_was_given_back_can_be_made_by_another_worker() -> None:
    state, _ = settle_fault(AccountState(), BAD_LOGIN, now_us=NOW, jitter=0.0)
    later_us = NOW + 300 * SECOND
    state, _ = take(state, FREE, worker="a", permits=1, connections=1, now_us=later_us)
    assert grant(state, worker="b", now_us=later_us).permits == 0

    assert grant(give_back(state, "a", 1, later_us), worker="b", now_us=later_us).permits == 1


# --- all together -----------------------------------------------------------------------------------------------------------


class Workers(RuleBasedStateMachine):
    """Any number of workers with one account: they take, use late, give back, die, and faults come in between."""

    windows = (Window(6, 1), Window(40, 60), Window(90, 3600))
    limits = AccountLimits(windows=windows, connections=3)
    open_permits = Bundle("open_permits")

    def __init__(self) -> None:
        super().__init__()
        self.state = AccountState()
        self.now_us = NOW
        self.used: list[int] = []
        self.connected: dict[str, tuple[int, int]] = {}

    @rule(gap_us=st.integers(0, 3 * SECOND) | st.integers(0, 900 * SECOND))
    def time_passes(self, gap_us: int) -> None:
        self.now_us += gap_us

    @rule(
        target=open_permits,
        worker=st.sampled_from("abcd"),
        permits=st.integers(0, 9),
        wanted=st.integers(0, 4),
        open_too=st.booleans(),
    )
    def take(self, worker: str, permits: int, wanted: int, open_too: bool) -> object:
        had, until_us = self.connected.get(worker, (0, 0))
        in_use = had if open_too and until_us > self.now_us else 0
        windows = self.state.windows
        self.state, made = take(
            self.state,
            self.limits,
            worker=worker,
            permits=permits,
            connections=wanted,
            in_use=in_use,
            now_us=self.now_us,
        )
        self.connected[worker] = (max(made.connections, in_use), self.now_us + LEASE_US)
        assert 0 <= made.permits <= permits
        assert made.connections <= min(wanted, self.limits.slots)
        assert (made.hold is not None) == (permits > 0 and made.permits == 0)
        if made.permits == 0:
            assert self.state.windows == windows, "a hold consumes nothing"
            return multiple()
        return (worker, made.permits, made.until_us)

    @rule(permits=consumes(open_permits), late=st.floats(0, 1), unused=st.floats(0, 1))
    def use(self, permits: tuple[str, int, int], late: float, unused: float) -> None:
        worker, count, until_us = permits
        if self.now_us > until_us:
            return
        back = int(count * unused)
        block = self.state.blocks.get(worker)
        if block is None or block.permits != count or block.issued_us + 100_000 < until_us:
            back = 0
        if back:
            self.state = give_back(self.state, worker, back, self.now_us)
        self.used += [self.now_us + int((until_us - self.now_us) * late)] * (count - back)

    @rule(worker=st.sampled_from("abcd"))
    def dies(self, worker: str) -> None:
        self.state = drop_worker(self.state, worker)
        self.connected.pop(worker, None)

    @rule(fault=FAULTS, jitter=st.floats(0, 1, exclude_max=True))
    def fault(self, fault: Fault, jitter: float) -> None:
        before = self.state
        self.state, _ = settle_fault(self.state, fault, now_us=self.now_us, jitter=jitter)
        assert self.state.windows == before.windows
        assert self.state.leases == before.leases

    @rule()
    def success(self) -> None:
        self.state, _ = settle_success(self.state, now_us=self.now_us)

    @rule()
    def through_the_spool(self) -> None:
        self.state = AccountState.from_json(self.state.to_json())

    @invariant()
    def never_more_than_the_limit_in_any_window(self) -> None:
        used = sorted(self.used)
        for window in self.windows:
            period_us = int(window.period_s * SECOND)
            for first, at_us in enumerate(used):
                assert sum(one <= at_us + period_us for one in used[first:]) <= window.limit

    @invariant()
    def never_more_connections_than_the_cap(self) -> None:
        assert sum(lease.held for lease in self.state.leases.values() if lease.until_us > self.now_us) <= self.limits.slots
        assert sum(held for held, until_us in self.connected.values() if until_us > self.now_us) <= self.limits.slots


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
