"""Routes: which accounts a sender may use, in which order, and when the next one takes over."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.holds import Hold

#: The route of senders that no other fits.
ANY: Final = "*"
#: Holds that another account may take over from. A short limit is waited for: moving on would change the sender's way, and
#: spend the rescue account's quota, for seconds.
FAILOVER_KINDS: Final = frozenset({"breaker", "quota", "pause"})

#: The accounts of a route as settings write them: in order, and a sequence in it holds equals.
Listed = Sequence[str | Sequence[str]]
Groups = tuple[tuple[str, ...], ...]


class Routes:
    """By sender: address, else domain, else ``*``. Without any table, ``*`` leads to all accounts in their order. Immutable.

    A route is groups of accounts in order: those of one group are equal and share the mail by their headroom, those of the
    next take over only where the whole group before is shut out.
    """

    def __init__(self, table: Mapping[str, Listed], accounts: Sequence[str] = ()) -> None:
        lower = {key.lower().removeprefix("@"): groups_of(listed) for key, listed in table.items()}
        self._table: Final = lower or {ANY: groups_of(accounts)}

    @classmethod
    def parse(cls, table: Mapping[str, Listed], accounts: Sequence[str]) -> Routes:
        """Routes that name known ``accounts`` only.

        Raises:
            SettingsError: an account that there is not, one listed twice, a route without any.
        """
        for sender, listed in table.items():
            setting = f"routes.{sender}"
            names = [name for group in groups_of(listed) for name in group]
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
        return tuple(name for group in self.groups_of(route) for name in group)

    def groups_of(self, route: str) -> Groups:
        """The groups of equal accounts of a route, in order; () for a route that there is not (any more)."""
        return self._table.get(route, ())

    def names(self) -> tuple[str, ...]:
        """All routes."""
        return tuple(self._table)

    def __repr__(self) -> str:
        return f"Routes({self._table})"


def groups_of(listed: Listed) -> Groups:
    """``["a", ["b", "c"]]`` as groups. Empty ones are left out."""
    groups = ((one,) if isinstance(one, str) else tuple(one) for one in listed)
    return tuple(group for group in groups if group)


def may_send(senders: Sequence[str], route: str) -> bool:
    """Whether an account that may send as ``senders`` (addresses, domains; none: anybody) may serve a whole route."""
    return not senders or route in senders or ("@" in route and route.rpartition("@")[2] in senders)


def serving(groups: Groups, holds: Mapping[str, Hold | None], headroom: Mapping[str, float]) -> tuple[str, ...]:
    """The equal accounts that may send now, the one with most headroom first (0 to 1; as listed where equal); (): wait.

    They are of the first group that has one that is well. A group of which all are held is passed over if each is held for a
    fault of its own, its quota or a pause; while one only waits for its rate, it is waited for. What may have been taken by one
    account never moves on, whatever this says: see ``pump.elsewhere``.
    """
    for group in groups:
        well = [name for name in group if holds.get(name) is None]
        if well:
            return tuple(sorted(well, key=lambda name: -headroom.get(name, 1.0)))
        if any(hold.kind not in FAILOVER_KINDS for name in group if (hold := holds.get(name)) is not None):
            return ()
    return ()


def preferred(ticket: str, equals: Sequence[str]) -> str:
    """The account that a ticket's mails keep to among ``equals``: the same on every worker, and when others come or go, only
    their tickets move (rendezvous hashing)."""
    return max(equals, key=lambda name: hashlib.blake2b(f"{ticket}\0{name}".encode(), digest_size=8).digest())


def _check_account(name: str, accounts: Sequence[str], setting: str) -> None:
    if name not in accounts:
        near = difflib.get_close_matches(name, accounts, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(accounts)) or 'none'}."
        raise SettingsError(f"there is no account {name!r}.", name=setting, remedy=hint)
