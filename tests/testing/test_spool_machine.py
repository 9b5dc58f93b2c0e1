"""The machine on SQLite, and what it finds in spools that are at fault."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from ticketmail.adapters.memory import create
from ticketmail.adapters.sql import create as create_sql
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.spooling import SpoolAdapter
from ticketmail.testing.spool_machine import MakeSpool, spool_machine

_FIND = settings(
    max_examples=150, stateful_step_count=50, database=None, deadline=None, derandomize=True, phases=[Phase.generate]
)


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_sqlite_does_what_memory_does(directory: Path) -> None:
    names = itertools.count()
    make = lambda options: create_sql(f"sqlite:///{directory}/{next(names)}.db", options)  # noqa: E731
    few = settings(max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

    run_state_machine_as_test(spool_machine(make), settings=few)


def begins_twice(spool: Any) -> None:
    """It lets a body leave whoever asks."""

    async def begin(*args: Any) -> list[bool]:
        await begun(*args)
        return [True] * len(args[-1])

    side = spool.worker_side()
    begun, side.deliveries.begin = side.deliveries.begin, begin
    spool.worker_side = lambda: side


def forgets_cancels(spool: Any) -> None:
    """It says that it cancelled, and did not."""
    spool.operating.cancel = lambda scope, **act: len(spool.reading.find(scope, states=[DeliveryState.QUEUED]))


def loses_a_mail(spool: Any) -> None:
    """It says that it accepted, and stored nothing of the third call on."""
    accept, calls = spool.intake.accept, itertools.count()

    def lose(entries: Any, **more: Any) -> Any:
        stored = accept(entries, **more)
        if next(calls) > 4:
            spool.operating.erase(entries[0].recipients[0], actor="nobody", reason="")
        return stored

    spool.intake.accept = lose


@pytest.mark.parametrize("spoil", [begins_twice, forgets_cancels, loses_a_mail])
def test_a_spool_at_fault_is_found(spoil: Callable[[Any], None]) -> None:
    def make(options: Any) -> SpoolAdapter:
        spool: Any = create("memory://", options)
        spoil(spool)
        return spool  # type: ignore[no-any-return]

    machine: MakeSpool = make
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(spool_machine(machine), settings=_FIND)
