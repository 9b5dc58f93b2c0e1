"""``SharedBlobs`` in a database that host and mail service both reach."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from sqlalchemy import delete, select

from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.schema import RoadTables
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.errors import BlobCorrupt, BlobStoreError, SpoolError


class SharedBook:
    """Kept statements."""

    def __init__(self, t: RoadTables, language: Language) -> None:
        s = t.shared.c
        names = ("tenant", "digest", "content", "touched_us")
        self.put = language.upsert(t.shared, names, ("tenant", "digest"), ("touched_us",))
        self.get = select(s.content).where(s.tenant == bound("p_tenant"), s.digest == bound("p_digest"))
        self.sweep = delete(t.shared).where(s.touched_us <= bound("p_oldest"))


class SqlSharedBlobs:
    """``SharedBlobs`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __repr__(self) -> str:
        return f"SqlSharedBlobs({self._database!r})"

    def put(self, tenant: str, content: bytes) -> str:
        digest = _digest(content)

        def work(tx: Tx) -> None:
            tx.run(tx.book(SharedBook).put, tenant=tenant, digest=digest, content=content, touched_us=tx.now_us)

        with _translated():
            self._database.write(work)
        return digest

    def get(self, tenant: str, digest: str) -> bytes:
        with _translated():
            row = self._database.read(lambda tx: tx.row(tx.book(SharedBook).get, p_tenant=tenant, p_digest=digest))
        if row is None:
            raise KeyError(digest)
        content = bytes(row[0])
        if _digest(content) != digest:
            raise BlobCorrupt(f"The content {digest} is corrupt: its hash does not fit.")
        return content

    def sweep(self, older_than_s: float) -> int:
        def work(tx: Tx) -> int:
            return tx.run(tx.book(SharedBook).sweep, p_oldest=tx.now_us - int(older_than_s * 1_000_000))

        with _translated():
            return self._database.write(work)

    def close(self) -> None:
        self._database.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """It is no spool that is sick here."""
    try:
        yield
    except SpoolError as error:
        text = str(error.args[0]).replace("The spool", "The shared store")
        raise BlobStoreError(text) from error


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
