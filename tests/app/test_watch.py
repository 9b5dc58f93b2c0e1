"""A host process says so when old mail is due and no worker lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ticketmail.app.usecases.watch import LOOK_EVERY_S, OLD_US, Watch
from ticketmail.domain.errors import SpoolUnreachable
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.reading import LaneLoad, Overview, WorkerView

NOW_US = 1_800_000_000_000_000


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def now_us(self) -> int:
        return NOW_US

    def monotonic_s(self) -> float:
        return self.s


class Reading:
    """Answers the two questions that a watch asks; counts the dear one."""

    def __init__(self, *, age_us: int | None, workers: Sequence[WorkerView] = (), sick: bool = False) -> None:
        self.age_us = age_us
        self._workers = workers
        self._sick = sick
        self.overviews = 0

    def workers(self) -> Sequence[WorkerView]:
        if self._sick:
            raise SpoolUnreachable("gone")
        return self._workers

    def overview(self) -> Overview:
        self.overviews += 1
        oldest = None if self.age_us is None else NOW_US - self.age_us
        lanes = [LaneLoad("reply", "*", 7, 3, oldest), LaneLoad("bulk", "*", 7, 0, None)]
        return Overview(NOW_US, "desk", {}, lanes, None, 0, 0, None, 1, None, None)


def worker(*, alive: bool, retired: bool = False) -> WorkerView:
    return WorkerView(uuid4(), "h", 1, "1", NOW_US, NOW_US - 600_000_000, alive, NOW_US if retired else None, {})


def look(reading: Any) -> list[Alert]:
    told: list[Alert] = []
    Watch(reading, tell=told.append, clock=Clock(), site="desk").look()
    return told


def test_old_due_mail_and_no_worker_is_said_with_the_next_step() -> None:
    (alert,) = look(Reading(age_us=OLD_US, workers=[worker(alive=False)]))

    assert (alert.level, alert.title) == ("page", "No worker is sending mail: 3 due, the oldest for 5 minutes")
    assert "last one was seen 10 minutes ago" in alert.text
    assert "ticketmail worker" in alert.text


def test_a_worker_that_retired_in_order_does_not_count_as_alive() -> None:
    assert len(look(Reading(age_us=OLD_US, workers=[worker(alive=True, retired=True)]))) == 1


def test_nothing_is_said_while_a_worker_lives_and_the_dear_question_is_not_asked() -> None:
    reading = Reading(age_us=OLD_US, workers=[worker(alive=False), worker(alive=True)])

    assert (look(reading), reading.overviews) == ([], 0)


def test_young_mail_or_none_is_no_matter() -> None:
    assert look(Reading(age_us=OLD_US - 1)) == look(Reading(age_us=None)) == []


def test_a_sick_spool_is_not_the_watchs_matter() -> None:
    assert look(Reading(age_us=OLD_US, sick=True)) == []


def test_a_submit_looks_at_most_once_a_minute_and_not_in_its_first() -> None:
    clock, looks = Clock(), []

    class Counted(Watch):
        def look(self) -> bool:
            looks.append(clock.s)
            return False

    watch = Counted(Reading(age_us=None), tell=lambda alert: None, clock=clock, site="desk")
    for _ in range(5 * int(LOOK_EVERY_S)):
        watch.after_submit()
        clock.s += 1

    assert len(looks) == 4
