"""A process within a virtual loop: tasks that can be killed or frozen between any two of their steps, as SIGKILL and SIGSTOP do.

A step is what a task does from one ``await`` to the next. Nothing of a killed process runs any more: no ``except``, no
``finally``, until the loop itself ends.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any

import ticketmail

_PACKAGE = Path(ticketmail.__file__).parent
_current: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Process:
    """Begins with one coroutine; what its tasks start belongs to it. ``kill_at``: the step that is not taken any more.

    The loop needs :func:`tell_processes_apart` first.
    """

    def __init__(self, name: str = "", *, kill_at: int | None = None) -> None:
        self.name = name
        self.kill_at = kill_at
        self.steps = 0
        self.where = ""  #: the place in the code where it was killed
        self.killed = asyncio.Event()
        self._frozen = False
        self._held: list[asyncio.Future[None]] = []

    def start(self, main: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        context.run(_current.set, self)
        factory = loop.get_task_factory()
        if not isinstance(factory, _Factory):
            raise RuntimeError("tell_processes_apart() comes first")
        factory.processes.append(self)
        return loop.create_task(main, context=context)

    def kill(self, where: str = "between two steps") -> None:
        """From now on nothing of it runs."""
        if not self.killed.is_set():
            self.where = where
            self.killed.set()

    def freeze(self) -> None:
        """Its tasks stand still; what they wait for goes on without them."""
        self._frozen = True

    def thaw(self) -> None:
        """Its tasks go on."""
        self._frozen = False
        held, self._held = self._held, []
        for gate in held:
            if not gate.done():
                gate.set_result(None)

    def gate(self, coroutine: Any) -> asyncio.Future[None] | None:
        """What a task must wait for before its next step, which ``coroutine`` would take. None: nothing."""
        if not self.killed.is_set() and not self._frozen:
            self.steps += 1
            if self.steps == self.kill_at:
                self.kill(place_of(coroutine))
        if not self.killed.is_set() and not self._frozen:
            return None
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(gate)
        return gate


class _Stepped(Coroutine[Any, Any, Any]):
    """A process's coroutine, asked before each step whether it may."""

    def __init__(self, process: Process, inner: Coroutine[Any, Any, Any]) -> None:
        self._process = process
        self._inner = inner
        self._thrown: BaseException | None = None

    def send(self, value: Any) -> Any:
        return self._step()

    def throw(self, kind: Any, value: Any = None, trace: Any = None, /) -> Any:
        error = kind if isinstance(kind, BaseException) else value or kind()
        if self._process.killed.is_set():  # the loop ends, and takes the dead with it
            self.close()
            raise error
        self._thrown = error
        return self._step()

    def close(self) -> None:
        for _ in range(10):  # each await in a ``finally`` refuses once
            try:
                self._inner.close()
            except RuntimeError:
                continue
            return

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("tasks alone run it")

    def _step(self) -> Any:
        gate = self._process.gate(self._inner)
        if gate is not None:
            gate._asyncio_future_blocking = True  # what ``yield`` from a future's ``__await__`` says to its task
            return gate
        error, self._thrown = self._thrown, None
        return self._inner.send(None) if error is None else self._inner.throw(error)


def tell_processes_apart() -> None:
    """From now on tasks of the running loop belong to the process that starts them."""
    asyncio.get_running_loop().set_task_factory(_Factory())


class _Factory:
    """Makes tasks. Keeps the dead as long as the loop: collected by themselves, they would run their ``finally``."""

    def __init__(self) -> None:
        self.processes: list[Process] = []

    def __call__(
        self, loop: asyncio.AbstractEventLoop, work: Any, *, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        process = _current.get() if context is None else context.get(_current)
        return asyncio.Task(work if process is None else _Stepped(process, work), loop=loop, context=context)


def place_of(coroutine: Any) -> str:
    """``app/usecases/deliver.py:240 in _record``: where a coroutine waits, in our own code as deep as may be."""
    place = ""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and Path(frame.f_code.co_filename).is_relative_to(_PACKAGE):
            path = Path(frame.f_code.co_filename).relative_to(_PACKAGE)
            place = f"{path}:{frame.f_lineno} in {frame.f_code.co_name}"
        coroutine = getattr(coroutine, "cr_await", None)
    return place or "outside of ticketmail"
