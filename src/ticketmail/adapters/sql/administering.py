"""``Administering``: the tables themselves, and whose they are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.schema import DropTable

from ticketmail.adapters.sql import upgrading
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import add_history, history_row
from ticketmail.adapters.sql.transaction import Tx, one_of
from ticketmail.adapters.sql.upkeep import put_pause
from ticketmail.domain.errors import SpoolError
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope, ScopeKind

_KEYS = "token_keys"


class SqlAdministering:
    """``Administering`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upgrade(self) -> Sequence[str]:
        self._database.open_unchecked()
        done = self._database.upgrade()
        self._database.forget()
        return done

    def ddl(self) -> str:
        statements = upgrading.statements(self._database.language, self._database.tables)
        return "".join(f"{statement};\n" for statement in statements)

    def check(self) -> Sequence[str]:
        try:
            self._database.open_unchecked(make=False)
            return self._database.read_unchecked(self._look)
        except SpoolError as error:
            return [str(error)]

    def adopt(self, site: str, *, hold: bool, actor: str, reason: str) -> int:
        def work(tx: Tx) -> int:
            before = upgrading.read_meta(tx).get("site", "")
            if hold:
                put_pause(tx, Pause(Scope(kind=ScopeKind.ALL), tx.now_us, None, f"Adopted from site {before!r}.", actor))
            upgrading.put_meta(tx, "site", site)
            said = f"The spool of site {before!r} is {site!r}'s now{', held for review' if hold else ''}. {reason}".strip()
            add_history(tx, [history_row("adopt", tx.now_us, scope="all", reason=said, actor=actor)])
            d = tx.tables.delivery.c
            waiting = tx.rows_once(select(func.count()).where(one_of(d.state, ("queued", "claimed", "sending", "unknown"))))
            return int(waiting[0][0])

        count = self._database.write(work)
        self._database.forget()
        return count

    def drop(self) -> None:
        def work(tx: Tx) -> None:
            with self._database.store.alone(tx.cursor):
                for table in reversed(tx.tables.metadata.sorted_tables):
                    tx.cursor.execute(str(DropTable(table, if_exists=True).compile(dialect=tx.language.sa)))

        self._database.open_unchecked()
        self._database.write_unchecked(work)
        self._database.forget()

    def secrets(self) -> Sequence[bytes]:
        return token_keys(self._database)

    def _look(self, tx: Tx) -> list[str]:
        upgrading.require(tx)
        found = self._database.store.warnings(tx.cursor)
        site = upgrading.read_meta(tx).get("site", "")
        if site != self._database.options.site:
            found.append(f"The spool belongs to site {site!r}, the settings say {self._database.options.site!r}.")
        return found


def token_keys(database: Database) -> list[bytes]:
    """See ``Administering.secrets``."""
    found = database.read(lambda tx: upgrading.read_meta(tx).get(_KEYS))
    if found is None:
        found = database.write(_make_key)
    return [bytes.fromhex(key) for key in found.split()]


def _make_key(tx: Tx) -> str:
    return upgrading.put_meta_once(tx, _KEYS, secrets.token_hex(32))
