"""Which store a URL names."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from ticketmail.adapters.sql.mariadb import MariadbStore
from ticketmail.adapters.sql.postgresql import PostgresqlStore
from ticketmail.adapters.sql.sqlite import SqliteStore
from ticketmail.adapters.sql.store import Store
from ticketmail.domain.errors import SettingsError, UnknownScheme
from ticketmail.domain.ports.spooling import SpoolOptions

_STORES: dict[str, Callable[[URL, SpoolOptions], Store]] = {
    "sqlite": SqliteStore,
    "postgresql": PostgresqlStore,
    "postgres": PostgresqlStore,
    "mariadb": MariadbStore,
}


def store_for(url: str, options: SpoolOptions, *, setting: str) -> tuple[URL, Store]:
    """The URL in parts, and its store; nothing is opened.

    Raises:
        SettingsError: the URL cannot be read, or names SQLite in memory.
        UnknownScheme: none of the three databases.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise SettingsError("this is not a database URL.", name=setting, remedy="Such as sqlite:///ticketmail.db.") from None
    make = _STORES.get(parsed.drivername.partition("+")[0])
    if make is None:
        remedy = "sqlite, postgresql or mariadb (10.6 or later; MySQL is another server by now, and is not supported)."
        raise UnknownScheme(f"{parsed.drivername} is none of our databases.", name=setting, remedy=remedy)
    return parsed, make(parsed, options)
