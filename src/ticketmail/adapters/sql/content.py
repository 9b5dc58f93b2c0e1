"""``Blobs`` and ``Directory``: large content by its hash, and where ids in mails lead."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sqlalchemy import select

from ticketmail.adapters.sql import joining
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import to_uuid
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.errors import SpoolError
from ticketmail.domain.ports.accepting import TokenRef


class ContentStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        b, r = t.blob.c, t.ref.c
        names = ("tenant", "digest", "content", "size_bytes", "touched_us")
        self.put = language.upsert(t.blob, names, ("tenant", "digest"), ("touched_us",))
        self.get = select(b.content).where(b.tenant == bound("p_tenant"), b.digest == bound("p_digest"))
        self.resolve = select(r.ref, r.tenant, r.ticket, r.submission_id).where(r.ref == bound("p_ref"))


class SqlBlobs:
    """``Blobs`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, tenant: str, content: bytes, *, connection: object | None = None) -> str:
        digest = _digest(content)

        def work(tx: Tx) -> None:
            put_contents(tx, tenant, {digest: content})

        if connection is not None:
            joining.run(self._database, connection, work)
            return digest
        self._database.write(work)
        return digest

    def get(self, tenant: str, digest: str) -> bytes:
        row = self._database.read(lambda tx: tx.row(tx.book(ContentStatements).get, p_tenant=tenant, p_digest=digest))
        if row is None:
            raise KeyError(digest)
        content = bytes(row[0])
        if _digest(content) != digest:
            raise SpoolError(f"The blob {digest} is corrupt: its hash does not fit.", remedy="Restore it from a backup.")
        return content


class SqlDirectory:
    """``Directory`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def resolve(self, ref: bytes) -> TokenRef | None:
        row = self._database.read(lambda tx: tx.row(tx.book(ContentStatements).resolve, p_ref=ref.hex()))
        return None if row is None else TokenRef(bytes.fromhex(row[0]), row[1], row[2], to_uuid(row[3]))


def put_contents(tx: Tx, tenant: str, contents: Mapping[str, bytes]) -> None:
    """Store content by its hash; what is there is touched."""
    for digest, content in contents.items():
        row = {"tenant": tenant, "digest": digest, "content": content, "size_bytes": len(content)}
        tx.run(tx.book(ContentStatements).put, **row, touched_us=tx.now_us)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
