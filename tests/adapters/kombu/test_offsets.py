"""What may be committed is what lies before the first job that is not settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.kombu.offsets import Offsets


@given(st.permutations(range(8)), st.integers(0, 8))
def test_never_beyond_what_is_still_open(order: list[int], settled: int) -> None:
    offsets = Offsets()
    for offset in range(8):
        offsets.begin((0, offset))
    for offset in order[:settled]:
        offsets.settle((0, offset))

    still_open = set(order[settled:])
    assert offsets.to_commit().get(0, 0) == min(still_open, default=8)


def test_what_was_committed_is_not_committed_again() -> None:
    offsets = Offsets()
    offsets.begin((3, 41))
    offsets.settle((3, 41))

    assert offsets.to_commit() == {3: 42}
    offsets.committed({3: 42})
    assert offsets.to_commit() == {}


def test_a_partition_that_went_elsewhere_is_forgotten() -> None:
    offsets = Offsets()
    offsets.begin((3, 41))
    offsets.forget([3])
    offsets.settle((3, 41))

    assert offsets.to_commit() == {}
