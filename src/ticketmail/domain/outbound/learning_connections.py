"""How many connections a mail server bears, as it taught: one fewer after a refusal, one more after a clean time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.learning import Learned

_US: Final = 1_000_000
#: One more is tried after so many seconds and mails without a refusal.
_CLEAN_S, _CLEAN_MAILS = 300.0, 300
#: Idle connections of workers that may have none any more are closed by then.
_IDLE_US: Final = 35 * _US


def fewer_connections(
    old: Learned | None, fault: Fault, *, now_us: int, issued_us: int | None, held: Sequence[int]
) -> tuple[Learned, str]:
    """After a refusal for too many connections: one fewer than were in use. ``held``: how many each worker may have."""
    old = old or Learned()
    settles_us = _IDLE_US if sum(count > 0 for count in held) > 1 else 0  # what is idle elsewhere still counts there
    if now_us - old.connections_us < settles_us or (issued_us is not None and issued_us <= old.connections_us):
        return old, ""
    in_use = sum(held) or old.connections
    if not in_use:
        return old, ""
    most = max(1, min(in_use, old.connections or in_use) - 1)
    update = {"connections": most, "connections_us": now_us, "connections_used": 0, "evidence": fault.text[:300]}
    note = f"{most} connections from now on." if most != old.connections else ""
    return old.model_copy(update=update | {"learned_us": now_us}), note


def more_connections(old: Learned, *, now_us: int, most: int) -> Learned:
    """One more after a clean time; the same object if not yet."""
    waited = (now_us - old.connections_us) / _US >= _CLEAN_S and old.connections_used >= _CLEAN_MAILS
    if not old.connections or old.connections >= most or not waited:
        return old
    return old.model_copy(update={"connections": old.connections + 1, "connections_us": now_us, "connections_used": 0})
