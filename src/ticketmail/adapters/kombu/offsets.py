"""Which offset of each partition may be committed: the lowest that is not settled yet. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: Partition and offset.
Place = tuple[int, int]


class Offsets:
    """Jobs may be settled in any order; a commit says "all before this one are done"."""

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self._committed: dict[int, int] = {}

    def begin(self, place: Place) -> None:
        """A job was read."""
        partition, offset = place
        self._open.setdefault(partition, set()).add(offset)
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)

    def settle(self, place: Place) -> None:
        """It is safe elsewhere. Unknown places are ignored: their partition went to another consumer."""
        partition, offset = place
        self._open.get(partition, set()).discard(offset)

    def to_commit(self) -> dict[int, int]:
        """By partition, the offset to commit, where it is beyond what was committed."""
        found = {number: min(self._open[number], default=ahead) for number, ahead in self._next.items()}
        return {number: offset for number, offset in found.items() if offset > self._committed.get(number, -1)}

    def committed(self, offsets: Mapping[int, int]) -> None:
        """These were committed."""
        self._committed.update(offsets)

    def forget(self, partitions: Collection[int]) -> None:
        """They went to another consumer."""
        for number in partitions:
            for book in (self._open, self._next, self._committed):
                book.pop(number, None)
