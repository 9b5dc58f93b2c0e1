"""``Administering``: whose the spool is. There are no tables."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ticketmail.adapters.memory.state import State
from ticketmail.adapters.memory.store import Access
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope, ScopeKind

_S = DeliveryState
_WAITING = (_S.QUEUED, _S.CLAIMED, _S.SENDING, _S.UNKNOWN)


class MemoryAdministering:
    """``Administering`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def upgrade(self) -> Sequence[str]:
        return []

    def ddl(self) -> str:
        return ""

    def check(self) -> Sequence[str]:
        with self._access.tx(any_site=True) as tx:
            found = tx.state.site
        if found in ("", self._access.site):
            return []
        return [f"The spool belongs to site {found!r}, the settings say {self._access.site!r}."]

    def adopt(self, site: str, *, hold: bool, actor: str, reason: str) -> int:
        with self._access.tx(any_site=True) as tx:
            before = tx.state.site
            if hold:
                scope = Scope(kind=ScopeKind.ALL)
                tx.put(tx.state.pauses, str(scope), Pause(scope, tx.now_us, None, f"Adopted from site {before!r}.", actor))
            tx.change(tx.state, site=site)
            said = f"The spool of site {before!r} is {site!r}'s now{', held for review' if hold else ''}. {reason}".strip()
            tx.note("adopt", scope="all", actor=actor, reason=said)
            return sum(len(tx.state.by_state[state]) for state in _WAITING)

    def drop(self) -> None:
        with self._access.store.lock:
            self._access.store.state = State()

    def secrets(self) -> Sequence[bytes]:
        with self._access.tx() as tx:
            return token_keys(tx)


def token_keys(tx: Tx) -> Sequence[bytes]:
    """See ``Administering.secrets``."""
    if not tx.state.token_keys:
        tx.change(tx.state, token_keys=(secrets.token_bytes(32),))
    return list(tx.state.token_keys)
