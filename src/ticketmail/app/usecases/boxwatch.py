"""Who watches a mailbox, and how it goes with it: one document each, written by the worker that has it every few seconds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ticketmail.domain.ports.delivering import Change

KIND: Final = "mailbox"


@dataclass(frozen=True, slots=True)
class MailboxLook:
    """``worker`` '' if nobody has it; times are UTC microseconds, None for never. ``places`` say how far each folder was read, as
    its source counts (IMAP: ``UIDVALIDITY:UID``)."""

    worker: str = ""
    host: str = ""
    until_us: int = 0
    at_us: int = 0
    well_us: int | None = None  #: when it was last looked at without trouble
    stored_us: int | None = None  #: when mail last came in
    trouble: str = ""
    since_us: int | None = None
    refused: bool = False
    places: Mapping[str, str] = field(default_factory=dict)

    def held(self, now_us: int) -> bool:
        """Whether a worker has it."""
        return bool(self.worker) and self.until_us > now_us


def look_from(content: bytes | None) -> MailboxLook:
    """A document read back; what is not ours to read counts as never looked at."""
    try:
        return MailboxLook(**json.loads(content)) if content else MailboxLook()
    except (ValueError, TypeError):
        return MailboxLook()


def claim(worker: str, lease_s: float, look: MailboxLook | None) -> Callable[[bytes | None, int], tuple[Change | None, bool]]:
    """Take a mailbox that is free, or keep it. True: it is ours. ``look`` is how it goes; None: nothing is known yet."""

    def step(content: bytes | None, now_us: int) -> tuple[Change | None, bool]:
        held = look_from(content)
        if held.held(now_us) and held.worker != worker:
            return None, False
        known = look if look is not None else held
        # A worker that has just begun knows less than the one before it.
        ours = dataclasses.replace(
            known,
            worker=worker,
            until_us=now_us + int(lease_s * 1_000_000),
            at_us=now_us,
            stored_us=known.stored_us or held.stored_us,
            places={**held.places, **known.places},
        )
        return Change(json.dumps(dataclasses.asdict(ours)).encode()), True

    return step


def release(worker: str) -> Callable[[bytes | None, int], tuple[Change | None, None]]:
    """Another worker may have it at once."""

    def step(content: bytes | None, now_us: int) -> tuple[Change | None, None]:
        held = look_from(content)
        if held.worker != worker:
            return None, None
        free = dataclasses.replace(held, worker="", until_us=0)
        return Change(json.dumps(dataclasses.asdict(free)).encode()), None

    return step
