"""A child that fails, however it does, is told of in time, ended and replaced."""

from __future__ import annotations

import os

import pytest

from ticketmail.adapters.mime.answering import frame
from ticketmail.adapters.mime.child import Child, ChildDied


@pytest.mark.parametrize(
    ("how", "wall_s", "told"),
    [
        ("boasts", 30.0, "failed"),
        ("stops short", 30.0, "failed"),
        ("leaves", 30.0, "failed"),
        ("keeps silent", 0.5, "ended after 0.5 s"),
    ],
)
def test_what_is_no_answer_ends_it(how: str, wall_s: float, told: str) -> None:
    child = Child("adapters.mime.odd_child", [how], name="check", longest=1_000)

    with child.alone(), pytest.raises(ChildDied, match=f"The check (was )?{told}"):
        child.ask(frame(b"one", b"two"), wall_s)

    assert child.process is None


def test_a_module_that_is_not_there_is_a_child_that_died() -> None:
    child = Child("adapters.mime.no_such_child", [], name="check", longest=1_000)

    with child.alone(), pytest.raises(ChildDied):
        child.ask(frame(b"one", b"two"), 30.0)


def test_after_a_fork_the_parents_child_is_left_alone() -> None:
    child = Child("adapters.mime.odd_child", ["keeps silent"], name="check", longest=1_000)
    with child.alone(), pytest.raises(ChildDied):
        child.ask(frame(b""), 0.3)
    with child.alone():
        process = child._running()
    forked = os.fork()
    if forked == 0:
        with child.alone():
            child.end()
        os._exit(0 if child.process is None else 1)
    assert os.waitpid(forked, 0)[1] == 0

    assert process.poll() is None
    with child.alone():
        child.end()
    assert process.poll() is not None
