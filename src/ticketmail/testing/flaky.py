"""A spool that can be away: it refuses, or does what it was asked and the answer is lost."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, cast
from uuid import UUID

from injector import Module, provider, singleton

from ticketmail.app.plugins import open_spool
from ticketmail.app.settings import Settings
from ticketmail.domain.errors import SpoolUnreachable
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions

#: What only makes or closes objects.
_HARMLESS = frozenset({"capabilities", "close", "aclose", "worker_side"})


class Outage:
    """``kind``: ``down``, ``answers lost`` (of what workers ask; a host is refused) or '' for a spool that is well.

    ``begun``: submissions whose beginning the spool has confirmed."""

    def __init__(self) -> None:
        self.kind: Literal["", "down", "answers lost"] = ""
        self.begun: set[UUID] = set()

    def end(self) -> None:
        """The spool is well again."""
        self.kind = ""


class FlakyModule(Module):
    """Puts ``outage`` between everybody and the spool of the settings."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage

    @singleton
    @provider
    def spool(self, settings: Settings, options: SpoolOptions) -> SpoolAdapter:
        real = open_spool(settings.spool.url.get_secret_value(), options)
        return cast(SpoolAdapter, Flaky(real, self._outage))


class Flaky:
    """Any part of a spool, and its parts, behind an outage."""

    def __init__(self, real: Any, outage: Outage) -> None:
        self._real = real
        self._outage = outage

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name == "worker_side":
            return lambda: Flaky(value(), self._outage)
        if name in _HARMLESS:
            return value
        if inspect.iscoroutinefunction(value):
            return self._asked(value)
        return self._called(value) if callable(value) else Flaky(value, self._outage)

    def _called(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **names: Any) -> Any:
            if self._outage.kind:
                raise _away()
            return call(*args, **names)

        return guarded

    def _asked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(*args: Any, **names: Any) -> Any:
            if self._outage.kind == "down":
                raise _away()
            answer = await call(*args, **names)
            if self._outage.kind:
                raise _away()
            if call.__name__ == "begin":
                self._outage.begun |= {claim.submission_id for claim, yes in zip(args[2], answer, strict=True) if yes}
            return answer

        return guarded


def _away() -> SpoolUnreachable:
    return SpoolUnreachable("The spool is away, by the simulation's wish.")
