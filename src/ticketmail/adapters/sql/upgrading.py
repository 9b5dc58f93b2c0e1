"""Making and upgrading the tables: expand and contract, release N works on schemas N and N+1 (``min_reader``)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.engine import URL
from sqlalchemy.schema import CreateIndex, CreateTable

from ticketmail.adapters.sql.schema import MIN_READER, SCHEMA_VERSION, Tables
from ticketmail.adapters.sql.transaction import Language, Tx
from ticketmail.domain.errors import SchemaMismatch

_REMEDY = "Run `ticketmail db upgrade`."


def statements(language: Language, tables: Tables) -> list[str]:
    """The DDL of an empty database, in order. Each may be run again."""
    found: list[str] = []
    for table in tables.metadata.sorted_tables:
        found.append(str(CreateTable(table, if_not_exists=True).compile(dialect=language.sa)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        found.extend(str(CreateIndex(index, if_not_exists=True).compile(dialect=language.sa)).strip() for index in indexes)
    return found


def read_meta(tx: Tx) -> Mapping[str, str]:
    """What the table says of itself. The tables must be there."""
    return dict(tx.rows_once(select(tx.tables.meta.c.name, tx.tables.meta.c.value)))


def steps_due(tx: Tx) -> bool:
    """True if :func:`upgrade` has something to do."""
    if not tx.language.has_tables(tx.cursor, tx.tables):
        return True
    return int(read_meta(tx).get("schema_version", "0")) < SCHEMA_VERSION


def upgrade(tx: Tx, site: str) -> list[str]:
    """Do what is due, in this transaction. Idempotent."""
    if not steps_due(tx):
        return []
    for statement in statements(tx.language, tx.tables):
        tx.cursor.execute(statement)
    put_meta(tx, "schema_version", str(SCHEMA_VERSION))
    put_meta(tx, "min_reader", str(MIN_READER))
    claim_site(tx, site)
    return [f"tables made, schema version {SCHEMA_VERSION}"]


def require(tx: Tx, *, spool: URL | None = None) -> Mapping[str, str]:
    """The meta rows, or SchemaMismatch. ``spool``: the database of the spool, where ``tx`` may be in another one."""
    if not tx.language.has_tables(tx.cursor, tx.tables):
        where = spool.render_as_string(hide_password=True) if spool is not None else ""
        remedy = f"Pass a connection to {where}; if it is one, run `ticketmail db upgrade`." if where else _REMEDY
        raise SchemaMismatch(f"The tables {tx.tables.prefix}* are not there.", remedy=remedy)
    meta = read_meta(tx)
    if int(meta.get("min_reader", "0")) > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"The tables are of schema {meta.get('schema_version')}, this release reads up to {SCHEMA_VERSION}.",
            remedy="Upgrade the package.",
        )
    if int(meta.get("schema_version", "0")) < SCHEMA_VERSION - 1:
        raise SchemaMismatch(f"The tables are of schema {meta.get('schema_version')}.", remedy=_REMEDY)
    return meta


class MetaStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        self.put = language.upsert(t.meta, ("name", "value"), ("name",), ("value",))
        self.put_once = language.insert_once(t.meta, ("name", "value"))


def put_meta(tx: Tx, name: str, value: str) -> None:
    """Write one row of meta."""
    tx.run(tx.book(MetaStatements).put, name=name, value=value)


def put_meta_once(tx: Tx, name: str, value: str) -> str:
    """Write one row of meta if it is not there. Says what stands."""
    tx.run(tx.book(MetaStatements).put_once, name=name, value=value)
    return str(read_meta(tx)[name])


def claim_site(tx: Tx, site: str) -> str:
    """Make a spool without a site ``site``'s. Says whose it is."""
    return put_meta_once(tx, "site", site)
