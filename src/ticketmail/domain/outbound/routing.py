"""Routes: which accounts a sender may use, in which order, and when the next one takes over."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.account import Hold

#: The route of senders that no other fits.
ANY: Final = "*"
#: Holds that another account may take over from. A short limit is waited for: moving on would change the sender's way, and
#: spend the rescue account's quota, for seconds.
FAILOVER_KINDS: Final = frozenset({"breaker", "quota", "pause"})


class Routes:
    """By sender: address, else domain, else ``*``. Without any table, ``*`` leads to all accounts in their order. Immutable."""

    def __init__(self, table: Mapping[str, Sequence[str]], accounts: Sequence[str] = ()) -> None:
        lower = {key.lower().removeprefix("@"): tuple(names) for key, names in table.items()}
        self._table: Final = lower or {ANY: tuple(accounts)}

    @classmethod
    def parse(cls, table: Mapping[str, Sequence[str]], accounts: Sequence[str]) -> Routes:
        """Routes that name known ``accounts`` only.

        Raises:
            SettingsError: an account that there is not, one listed twice, a route without any.
        """
        for sender, names in table.items():
            setting = f"routes.{sender}"
            if not names:
                raise SettingsError("a route needs at least one account.", name=setting)
            if len(set(names)) != len(names):
                raise SettingsError("an account is listed twice.", name=setting)
            for name in names:
                _check_account(name, accounts, setting)
        return cls(table, accounts)

    def route_of(self, sender_key: str) -> str:
        """The route of a sender (``Address.key``). Never fails: a sender that nothing fits has route ``*``, which may have no
        account, and then its mail waits for a human who adds one."""
        key = sender_key.lower()
        domain = key.rpartition("@")[2]
        for name in (key, domain):
            if name in self._table:
                return name
        return ANY

    def accounts_of(self, route: str) -> tuple[str, ...]:
        """The accounts of a route in order; () for a route that there is not (any more)."""
        return self._table.get(route, ())

    def names(self) -> tuple[str, ...]:
        """All routes."""
        return tuple(self._table)

    def __repr__(self) -> str:
        return f"Routes({self._table})"


def choose(
    accounts: Sequence[str],
    holds: Mapping[str, Hold | None],
    *,
    last_account: str = "",
    pinned: bool = False,
) -> str | None:
    """The account to send by now, or None: wait.

    The first that is well. One that is held for a fault of its own, its quota or a pause is passed over; one that only waits
    for its rate is waited for. ``last_account`` (where the ticket's last mail went) is kept while it is well, if it is listed.
    ``pinned``: only ``last_account`` will do; what may have been taken there never moves on (it would be a second copy).
    """
    if pinned and last_account:
        return last_account if last_account in accounts and holds.get(last_account) is None else None
    if last_account in accounts and holds.get(last_account) is None:
        return last_account
    for account in accounts:
        hold = holds.get(account)
        if hold is None:
            return account
        if hold.kind not in FAILOVER_KINDS:
            return None
    return None


def _check_account(name: str, accounts: Sequence[str], setting: str) -> None:
    if name not in accounts:
        near = difflib.get_close_matches(name, accounts, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(accounts)) or 'none'}."
        raise SettingsError(f"there is no account {name!r}.", name=setting, remedy=hint)
