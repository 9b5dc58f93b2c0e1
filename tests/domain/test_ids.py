"""Ids are pure functions of what they are given."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.ids import event_id, uuid7

TIMES = st.integers(min_value=0, max_value=(1 << 48) * 1000 - 1)
RANDOM = st.binary(min_size=10, max_size=16)


@given(TIMES, RANDOM)
def test_a_uuid7_bears_version_variant_and_millisecond(now_us: int, random: bytes) -> None:
    made = uuid7(now_us, random)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == now_us // 1000


@given(TIMES, TIMES, RANDOM, RANDOM)
def test_uuid7s_sort_by_time(one_us: int, other_us: int, one: bytes, other: bytes) -> None:
    if one_us < other_us:
        assert uuid7(one_us, one).hex < uuid7(other_us, other).hex or other_us - one_us < 1


def test_uuid7_differs_by_its_random_bytes() -> None:
    assert uuid7(1, bytes(10)) != uuid7(1, bytes(9) + b"x")


@pytest.mark.parametrize(("now_us", "random"), [(1, bytes(9)), (-1, bytes(10))])
def test_uuid7_refuses_too_little(now_us: int, random: bytes) -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        uuid7(now_us, random)


def test_an_event_id_is_stable_and_names_delivery_kind_and_fence() -> None:
    submission = UUID(int=1)
    ids = {event_id(submission, n, kind, fence) for n in (0, 1) for kind in ("sent", "failed") for fence in (1, 2)}
    assert len(ids) == 8
    assert event_id(submission, 0, "sent", 1) == event_id(UUID(int=1), 0, "sent", 1)
