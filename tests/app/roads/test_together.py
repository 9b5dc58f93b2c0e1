"""Threads that publish at the same time go together, and each has its own answer."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence

import pytest

from ticketmail.app.usecases.together import BATCH, Together
from ticketmail.domain.errors import BrokerFull, BrokerUnreachable
from ticketmail.domain.ports.queueing import Job

PATIENCE_S = 30.0


class Held:
    """A publish that waits at its first call until it is let go, and then does ``then``."""

    def __init__(self, then: Callable[[Sequence[Job]], None] = lambda jobs: None) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []
        self._then = then

    def __call__(self, jobs: Sequence[Job]) -> None:
        self.batches.append([job.job_id for job in jobs])
        if len(self.batches) == 1:
            self.began.set()
            assert self.go_on.wait(PATIENCE_S)
            return
        self._then(jobs)


def publish(together: Together, names: Sequence[str], errors: dict[str, Exception]) -> threading.Thread:
    def run() -> None:
        try:
            together.publish([Job(name, b"{}") for name in names])
        except Exception as error:
            errors[names[0]] = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def meet(held: Held, callers: Sequence[Sequence[str]]) -> dict[str, Exception]:
    """Callers that come while a publish is under way."""
    together, errors = Together(held), dict[str, Exception]()
    threads = [publish(together, ["first"], errors)]
    assert held.began.wait(PATIENCE_S)
    for names in callers:
        waiting = len(together._waiting)
        threads.append(publish(together, names, errors))
        while len(together._waiting) == waiting:
            threads[-1].join(0.001)
    held.go_on.set()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    return errors


def test_one_caller_publishes_what_it_has() -> None:
    batches: list[Sequence[Job]] = []
    Together(batches.append).publish([Job("a", b"{}"), Job("b", b"{}")])

    assert [[job.job_id for job in batch] for batch in batches] == [["a", "b"]]


def test_who_comes_during_a_publish_goes_with_the_next_one() -> None:
    held = Held()

    assert meet(held, [["a", "b"], ["c"], ["d"]]) == {}
    assert held.batches == [["first"], ["a", "b", "c", "d"]]


def test_a_batch_is_bounded_and_nobody_is_left_behind() -> None:
    held = Held()
    names = [[f"{caller}.{n}" for n in range(BATCH // 2)] for caller in range(5)]

    assert meet(held, names) == {}
    assert [len(batch) for batch in held.batches[1:]] == [BATCH, BATCH, BATCH // 2]


def test_a_broker_that_does_not_answer_is_asked_once_for_all() -> None:
    def away(jobs: Sequence[Job]) -> None:
        raise BrokerUnreachable("gone")

    held = Held(away)

    assert {name: type(error) for name, error in meet(held, [["a"], ["b"]]).items()} == dict.fromkeys("ab", BrokerUnreachable)
    assert held.batches == [["first"], ["a", "b"]]


def test_a_refusal_is_for_whom_it_is_meant() -> None:
    def full(jobs: Sequence[Job]) -> None:
        if any(job.job_id == "b" for job in jobs):
            raise BrokerFull("no more")

    errors = meet(Held(full), [["a"], ["b"], ["c"]])

    assert {name: type(error) for name, error in errors.items()} == {"b": BrokerFull}


def test_an_error_leaves_it_usable() -> None:
    answers: list[Exception | None] = [BrokerUnreachable("gone"), None]

    def once(jobs: Sequence[Job]) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    together = Together(once)
    with pytest.raises(BrokerUnreachable):
        together.publish([Job("a", b"{}")])
    together.publish([Job("a", b"{}")])
    assert answers == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_in_a_child_the_first_calls_of_many_threads_are_all_served() -> None:
    """As under gunicorn with threads: a worker's first requests come side by side."""
    together = Together(lambda jobs: None)
    together.publish([Job("warm", b"{}")])

    assert [_first_calls_in_a_child(together) for _ in range(60)] == [0] * 60


def _first_calls_in_a_child(together: Together) -> int:
    """0 if all eight were served."""
    child = os.fork()
    if child == 0:  # it says by its exit code how it went
        sys.setswitchinterval(1e-6)
        start = threading.Event()

        def publish() -> None:
            start.wait()
            together.publish([Job("a", b"{}")])

        threads = [threading.Thread(target=publish, daemon=True) for _ in range(8)]
        for one in threads:
            one.start()
        start.set()
        for one in threads:
            one.join(5)
        os._exit(sum(one.is_alive() for one in threads))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
