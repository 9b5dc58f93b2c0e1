"""Lanes share what there is by weight: no waiting lane starves, nothing free is left unused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.lanes import SHIPPED, Lane, Lanes, share

NAMES = st.sampled_from(["code", "reply", "notice", "digest", "bulk", "own"])
WEIGHTS = st.dictionaries(NAMES, st.integers(1, 100), min_size=1)
WAITING = st.dictionaries(NAMES, st.integers(0, 200))


def test_the_shipped_lanes_are_what_the_design_says() -> None:
    hours = {name: lane.deadline_s / 3600 for name, lane in SHIPPED.items()}

    assert hours == {"code": 0.25, "reply": 72, "notice": 12, "digest": 24, "bulk": 120}
    assert {name: lane.unknown for name, lane in SHIPPED.items() if lane.unknown != "resend"} == {"code": "never"}
    assert {name for name, lane in SHIPPED.items() if lane.ends_as is DeliveryState.EXPIRED} == {"digest", "bulk"}
    assert sorted(SHIPPED.values(), key=lambda lane: -lane.weight) == list(SHIPPED.values())


@given(WEIGHTS, st.integers(0, 300), WAITING)
def test_all_that_is_free_is_used_and_no_lane_gets_more_than_it_waits_for(
    weights: dict[str, int], capacity: int, waiting: dict[str, int]
) -> None:
    granted, _ = share(weights, capacity, waiting)

    assert sum(granted.values()) == min(capacity, sum(waiting.values()))
    assert all(0 <= granted.get(name, 0) <= count for name, count in waiting.items())


@given(WEIGHTS, st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_however_small_the_capacity_each_lane_gets_its_part(weights: dict[str, int], capacities: list[int]) -> None:
    waiting = dict.fromkeys(weights, 10**6)
    got: Counter[str] = Counter()
    carried: dict[str, int] | None = None
    for capacity in capacities:
        granted, carried = share(weights, capacity, waiting, carried)
        got.update(granted)

    total = sum(weights.values())
    for name, weight in weights.items():
        assert abs(got[name] - sum(capacities) * weight / total) <= len(weights), "within a place per lane of its exact part"


@given(WEIGHTS, st.integers(1, 5))
def test_no_waiting_lane_is_passed_over_for_longer_than_a_round_of_weights(weights: dict[str, int], capacity: int) -> None:
    waiting = dict.fromkeys(weights, 10**6)
    hungry = dict.fromkeys(weights, 0)
    carried: dict[str, int] | None = None
    for _ in range(2 * sum(weights.values()) // capacity + 2):
        granted, carried = share(weights, capacity, waiting, carried)
        for name in weights:
            hungry[name] = 0 if granted[name] else hungry[name] + capacity
            assert hungry[name] <= 2 * sum(weights.values())


def test_a_lane_alone_gets_everything() -> None:
    assert share(SHIPPED.weights(), 50, {"bulk": 100})[0] == {"bulk": 50}


def test_what_a_lane_does_not_use_flows_on() -> None:
    assert share(SHIPPED.weights(), 50, {"code": 1, "bulk": 100})[0] == {"code": 1, "bulk": 49}


def test_a_lane_that_waited_for_nothing_has_no_credit_to_come_back_with() -> None:
    carried: dict[str, int] | None = None
    for _ in range(1000):
        _, carried = share({"reply": 9, "bulk": 1}, 1, {"reply": 0, "bulk": 10}, carried)
    granted, _ = share({"reply": 9, "bulk": 1}, 10, {"reply": 10, "bulk": 10}, carried)

    assert granted == {"reply": 9, "bulk": 1}


def test_an_unknown_lane_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'reply'"):
        SHIPPED["repyl"]


def test_mail_of_a_lane_that_was_removed_is_not_stranded() -> None:
    assert SHIPPED.of("gone").name == "gone"
    assert SHIPPED.of("gone").weight == SHIPPED["notice"].weight
    assert SHIPPED.of("code") is SHIPPED["code"]


def test_settings_change_fields_of_a_lane_or_add_one() -> None:
    lanes = SHIPPED.changed("reply", weight=99).changed("own", deadline_s=60.0)

    assert (lanes["reply"].weight, lanes["reply"].deadline_s) == (99, SHIPPED["reply"].deadline_s)
    assert lanes["own"].deadline_s == 60
    assert SHIPPED["reply"].weight != 99
    assert "own" not in SHIPPED


@pytest.mark.parametrize(
    "wrong", [{"weight": 0}, {"deadline_s": 0}, {"reserve": 1.0}, {"reserve": -0.1}, {"ends_as": DeliveryState.FAILED}]
)
def test_a_lane_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"name": "x", "weight": 1, "deadline_s": 1.0}
    with pytest.raises(SettingsError, match=r"lanes\.x"):
        Lanes([Lane(**fields | wrong)])
