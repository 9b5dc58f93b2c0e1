"""How a transaction ends: for good, back, or in doubt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ticketmail.adapters.sql.errors import ROLLED_BACK, is_cut, is_foreign, server_code, translate
from ticketmail.domain.errors import SpoolBusy, SpoolUnreachable


class CommitInDoubt(Exception):
    """The connection broke in COMMIT: the transaction may stand or not. ``__cause__`` is the driver's error."""


def commit(connection: Any) -> None:
    """COMMIT. Raises CommitInDoubt if the connection broke in it, else what the driver raises, rolled back."""
    try:
        connection.commit()
    except Exception as error:
        if is_foreign(error) and (not is_usable(connection) or is_cut(error)):
            raise CommitInDoubt from error
        rollback(connection)
        raise


@contextlib.contextmanager
def rolling_back(connection: Any) -> Iterator[None]:
    """Roll back if the block raises."""
    try:
        yield
    except BaseException:
        rollback(connection)
        raise


@contextlib.contextmanager
def ending(connection: Any) -> Iterator[None]:
    """End the transaction of the block, which only reads, whatever happens."""
    try:
        yield
    finally:
        rollback(connection)


def rollback(connection: Any) -> None:
    """ROLLBACK, never raising: a broken connection has rolled back already."""
    with contextlib.suppress(Exception):
        connection.rollback()


def is_usable(connection: Any) -> bool:
    """False for a server's connection that is closed or broken. A SQLite handle is always usable."""
    return connection is not None and not getattr(connection, "closed", False) and bool(getattr(connection, "open", True))


def unreachable(error: BaseException) -> SpoolUnreachable:
    """What a lost connection is to a caller, whatever the driver called it."""
    found = translate(error)
    return found if isinstance(found, SpoolUnreachable) else SpoolUnreachable(str(found))


def may_go_again(error: SpoolBusy) -> bool:
    """True if the database chose this transaction to give way (deadlock, serialisation)."""
    code = server_code(error.__cause__)
    return code.startswith("40") or code in ROLLED_BACK
