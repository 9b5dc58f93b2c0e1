"""Claims under narrow pauses: looking through a paused backlog takes a small part of the time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ticketmail.adapters.sql import create, scans
from ticketmail.adapters.sql.scans import CHEAP_S, Scans
from ticketmail.domain.ports.delivering import Want
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.kit import HOUR, SECOND, WORKER, ContractClock, entry

REPLY = Want("main", "reply", 10)
PAUSED = (Scope.parse("domain:example.net"),)
PLACE = ("main", "reply", "")


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def looked(memory: Scans, *, first_s: int | None = None, seconds: float = 0.1) -> None:
    first_us = None if first_s is None else first_s * SECOND
    memory.looked(PLACE, first_us=first_us, now_us=50 * SECOND, seconds=seconds)


def test_after_a_long_look_the_next_ones_begin_further_on_for_twenty_times_as_long() -> None:
    clock = Seconds()
    memory = Scans(clock)
    looked(memory, first_s=30)
    assert memory.floor_us(PLACE) == 30 * SECOND
    looked(memory, seconds=0.001)
    assert memory.floor_us(PLACE) == 48 * SECOND  # to the end, but for what hosts commit late
    clock.now += 1.9
    assert memory.floor_us(PLACE) == 48 * SECOND
    clock.now += 0.2
    assert memory.floor_us(PLACE) == 0


def test_other_places_cheap_looks_and_other_pauses_begin_at_the_beginning() -> None:
    memory = Scans(Seconds()).under(PAUSED)
    looked(memory, seconds=CHEAP_S)
    assert memory.floor_us(PLACE) == 0
    looked(memory)
    assert memory.floor_us(("main", "bulk")) == 0
    assert memory.under(PAUSED).floor_us(PLACE) > 0
    assert memory.under((*PAUSED, Scope.parse("ticket:7"))).floor_us(PLACE) == 0


def test_new_mail_and_a_resume_are_seen_at_once_while_a_look_is_rested_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "CHEAP_S", -1.0)  # every look counts as a long one,
    monkeypatch.setattr(scans, "_REST", 1e9)  # and is rested from
    clock = ContractClock()
    spool = create(f"sqlite:///{tmp_path}/spool.db", SpoolOptions(clock=clock))
    spool.intake.accept([entry() for _ in range(3)])
    spool.operating.pause(Pause(PAUSED[0], clock.now_us(), None, "why", "ann"))
    clock.go(HOUR)

    async def run() -> tuple[list[int], list[int]]:
        side = spool.worker_side()
        worker = (await side.workers.register(WORKER)).worker_id
        found, looked = [], []
        for act in ("nothing", "again", "new mail", "resume"):
            if act == "new mail":
                spool.intake.accept([entry("bob@example.org")])
            if act == "resume":
                spool.operating.resume(PAUSED[0], actor="ann", reason="why")
            looked.append(claiming_floor(side))
            found.append(len(await side.deliveries.claim(worker, [REPLY])))
            clock.go(SECOND // 10)
        await side.aclose()
        return found, looked

    found, looked = asyncio.run(run())
    spool.close()

    assert found == [0, 0, 1, 3]
    assert [floor > 0 for floor in looked] == [False, True, True, True]


def claiming_floor(side: object) -> int:
    memory: Scans = side.deliveries._scans  # type: ignore[attr-defined]
    return memory.floor_us(PLACE)
