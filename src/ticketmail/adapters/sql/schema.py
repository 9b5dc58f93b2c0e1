"""The tables (ADR 0001), as SQLAlchemy Core values. A prefix makes a set; sets are kept, so that statements can be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, Table, and_, or_
from sqlalchemy.schema import SchemaItem

from ticketmail.adapters.sql.columns import ID, IN_MARIADB
from ticketmail.adapters.sql.columns import blob as _bytes
from ticketmail.adapters.sql.columns import count as _count
from ticketmail.adapters.sql.columns import ident as _id
from ticketmail.adapters.sql.columns import microseconds as _us
from ticketmail.adapters.sql.columns import named as _name
from ticketmail.adapters.sql.columns import serial as _serial
from ticketmail.adapters.sql.columns import text as _text

#: SQLAlchemy 2.1 made tables generic, 2.0 has not.
AnyTable: TypeAlias = "Table[Any]"

SCHEMA_VERSION = 1  #: what this release writes
MIN_READER = 1  #: the oldest release that can work on it

#: States in which a first attempt may still come.
BEFORE_END = ("queued", "claimed", "sending")


class Tables:
    """All tables of one prefix. Without ``partial_indexes`` an index holds all rows, found by what the condition names."""

    def __init__(self, prefix: str, *, partial_indexes: bool = True) -> None:
        self.prefix = prefix
        self._partial_indexes = partial_indexes
        self.metadata = MetaData()
        self.meta = self._table("meta", Column("name", _text(64), primary_key=True), Column("value", _text(), nullable=False))
        self.submission = self._submission()
        self.delivery = self._delivery()
        self.history = self._history()
        self.blob, self.blob_ref = self._blobs()
        self.ref = self._table(
            "ref",
            Column("ref", _text(18), primary_key=True),
            _name("tenant", 64),
            _name("ticket", 255, None),
            _id("submission_id", nullable=True),
        )
        self.worker = self._worker()
        self.document = self._table(
            "document",
            Column("kind", _text(32), primary_key=True),
            Column("name", _text(255), primary_key=True),
            Column("content", _bytes()),
            _count("version"),
            _us("updated_us"),
        )
        self.pause = self._table(
            "pause",
            Column("scope", _text(600), primary_key=True),
            _us("since_us"),
            _us("until_us", nullable=True),
            Column("reason", _text(), nullable=False),
            _name("actor"),
        )
        self.suppression = self._suppression()
        self.event = self._event()
        self.parked = self._parked()
        self.tombstone = self._table("tombstone", _id("submission_id", primary_key=True), _us("at_us"))
        self._index("tombstone_at", self.tombstone.c.at_us)
        self.handled = self._table("handled", _id("event_id", primary_key=True), _us("at_us"))
        self.inbound = self._inbound()
        self.feedback = self._table(
            "feedback",
            _id("submission_id", primary_key=True),
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("kind", _text(16), primary_key=True),
            _us("at_us"),
            _id("inbound_id"),
        )

    @property
    def mark(self) -> AnyTable:
        """The table whose presence says that all are there."""
        return self.delivery

    def _table(self, name: str, *parts: SchemaItem, **options: Any) -> AnyTable:
        table: AnyTable = Table(self.prefix + name, self.metadata, *parts, **{**options, **IN_MARIADB})
        return table

    def _index(self, name: str, *columns: Column[Any], where: Any = None, of: Sequence[Column[Any]] = ()) -> Index:
        """``of``: the columns that ``where`` compares, which lead where there are no partial indexes."""
        if not self._partial_indexes:
            return Index(f"ix_{self.prefix}{name}", *of, *columns)
        return Index(f"ix_{self.prefix}{name}", *columns, sqlite_where=where, postgresql_where=where)

    def _submission(self) -> AnyTable:
        table = self._table(
            "submission",
            _id("id", primary_key=True),
            _name("tenant", 64),
            _name("submit_key", 200, None),
            Column("fingerprint", _bytes(), nullable=False),
            _name("ticket", 255, None),
            _name("lane", 64),
            _name("route"),
            _name("sender", 320),
            _name("return_path", 320),
            _name("message_id", 998),
            _name("traceparent", 64),
            Column("size_bytes", BigInteger, nullable=False),
            _us("accepted_us"),
            Column("body", _bytes()),
            _us("body_purged_us", nullable=True),
        )
        c = table.c
        self._index("submission_unpurged", c.accepted_us, where=c.body_purged_us.is_(None), of=[c.body_purged_us])
        self._index("submission_purged", c.accepted_us, where=c.body_purged_us.is_not(None))
        return table

    def _delivery(self) -> AnyTable:
        table = self._table(
            "delivery",
            _id("submission_id", primary_key=True),
            Column("number", Integer, primary_key=True, autoincrement=False),
            _name("state", 12, "queued"),
            _name("route"),
            _name("lane", 64),
            _count("lane_weight"),
            _name("tenant", 64),
            _name("ticket", 255, None),
            _name("recipient", 320),
            _name("recipient_key", 320),
            _name("recipient_domain", 255),
            _us("due_us", nullable=True),
            _us("first_due_us"),
            _us("deadline_us"),
            *(_count(name) for name in ("fence", "attempts", "unknowns", "checks", "lost", "lost_alone")),
            _id("worker_id", nullable=True),
            _id("behind_submission_id", nullable=True),
            Column("behind_number", Integer),
            Column("delay_told", SmallInteger, nullable=False, server_default="0"),
            _name("cause", 64),
            *(Column(name, _text(), nullable=False, server_default="") for name in ("reason", "reply")),
            _name("account"),
            Column("remote_id", _text(), nullable=False, server_default=""),
            _us("accepted_us"),
            _us("ended_us", nullable=True),
            _us("dismissed_us", nullable=True),
            sqlite_with_rowid=False,
        )
        self._delivery_indexes(table)
        return table

    def _delivery_indexes(self, table: AnyTable) -> None:
        c = table.c
        queued = c.state == "queued"
        self._index("delivery_claim", c.route, c.lane, c.due_us, c.submission_id, where=queued, of=[c.state])
        self._index("delivery_turn", c.route, c.lane, c.tenant, c.due_us, c.submission_id, where=queued, of=[c.state])
        self._index("delivery_deadline", c.deadline_us, where=queued, of=[c.state])
        self._index("delivery_untold", c.first_due_us, where=and_(queued, c.delay_told == 0), of=[c.state, c.delay_told])
        self._index("delivery_unknown", c.due_us, where=c.state == "unknown", of=[c.state])
        dead = and_(c.state == "dead", c.dismissed_us.is_(None))
        self._index("delivery_dead", c.cause, c.ended_us, where=dead, of=[c.state, c.dismissed_us])
        self._index("delivery_ended", c.state, c.ended_us, where=c.ended_us.is_not(None))
        self._index("delivery_worker", c.worker_id, where=c.worker_id.is_not(None))
        self._index("delivery_behind", c.behind_submission_id, where=c.behind_submission_id.is_not(None))
        self._index("delivery_ticket", c.ticket, c.recipient_key, where=c.ticket.is_not(None))
        self._index("delivery_recipient", c.recipient_key)
        self._index("delivery_accepted", c.accepted_us, c.submission_id)

    def _history(self) -> AnyTable:
        table = self._table(
            "history",
            Column("seq", _serial(), primary_key=True, autoincrement=True),
            _us("at_us"),
            _name("kind", 16),
            _id("submission_id", nullable=True),
            Column("number", Integer),
            Column("fence", Integer),
            _name("scope", 600),
            _name("state", 12),
            _name("account"),
            _id("worker_id", nullable=True),
            _name("outcome", 12),
            _name("phase", 12),
            _name("cause", 64),
            *(Column(name, _text(), nullable=False, server_default="") for name in ("reason", "reply", "remote_id")),
            _us("ended_us", nullable=True),
            _name("actor"),
        )
        c = table.c
        self._index("history_submission", c.submission_id, c.number, where=c.submission_id.is_not(None))
        self._index("history_decisions", c.at_us, where=or_(c.scope != "", c.actor != ""))
        return table

    def _blobs(self) -> tuple[AnyTable, AnyTable]:
        blob = self._table(
            "blob",
            Column("tenant", _text(64), primary_key=True),
            Column("digest", _text(80), primary_key=True),
            Column("content", _bytes(), nullable=False),
            Column("size_bytes", BigInteger, nullable=False),
            _us("touched_us"),
        )
        self._index("blob_touched", blob.c.touched_us)
        ref = self._table(
            "blob_ref",
            Column("tenant", _text(64), primary_key=True),
            Column("digest", _text(80), primary_key=True),
            _id("submission_id", primary_key=True),
        )
        self._index("blob_ref_submission", ref.c.submission_id)
        return blob, ref

    def _worker(self) -> AnyTable:
        return self._table(
            "worker",
            _id("id", primary_key=True),
            _name("host"),
            _count("pid"),
            _name("version", 64),
            _name("site"),
            _us("started_us"),
            _us("beat_us"),
            _us("retired_us", nullable=True),
            _us("dead_us", nullable=True),
            Column("stats", _text(), nullable=False, server_default="{}"),
        )

    def _suppression(self) -> AnyTable:
        table = self._table(
            "suppression",
            Column("tenant", _text(64), primary_key=True),
            Column("address", _text(320), primary_key=True),
            _name("cause", 64),
            Column("evidence", _text(), nullable=False),
            _us("since_us"),
            _us("until_us", nullable=True),
        )
        self._index("suppression_address", table.c.address)
        return table

    def _event(self) -> AnyTable:
        table = self._table(
            "event",
            Column("seq", _serial(), primary_key=True, autoincrement=True),
            Column("event_id", ID, nullable=False, unique=True),
            _id("submission_id", nullable=True),
            Column("payload", _text(), nullable=False),
            _us("created_us"),
            _us("due_us"),
            _us("lease_until_us", nullable=True),
            *(_count(name) for name in ("fence", "attempts")),
            _name("state", 8, "waiting"),
            Column("error", _text(), nullable=False, server_default=""),
        )
        c = table.c
        self._index("event_due", c.due_us, c.seq, where=c.state == "waiting", of=[c.state])
        self._index("event_over", c.state, c.created_us, where=c.state != "waiting")
        self._index("event_submission", c.submission_id)
        return table

    def _inbound(self) -> AnyTable:
        table = self._table(
            "inbound",
            _id("id", primary_key=True),
            _name("tenant", 64),
            _name("mailbox", 64),
            _name("source", 255),
            _name("digest", 80),
            Column("size_bytes", BigInteger, nullable=False),
            _name("envelope_from", 320, None),
            Column("envelope_to", _text(), nullable=False),
            _us("stored_us"),
            _us("received_us"),
            *(Column(name, SmallInteger, nullable=False, server_default="0") for name in ("silent", "acknowledged")),
            _name("state", 12, "stored"),
            _us("due_us"),
            *(_count(name) for name in ("fence", "attempts")),
            _name("category", 20),
            _id("event_id", nullable=True),
            _name("message_key", 64),
            _name("author", 320),
            _name("subject", 255),
            _name("ticket", 255, None),
            _name("strength", 12),
            *(Column(name, _text(), nullable=False, server_default="") for name in ("verdict", "signatures", "error", "marks")),
            _name("rules", 32),
            _us("settled_us", nullable=True),
            _us("raw_purged_us", nullable=True),
        )
        c = table.c
        self._index("inbound_due", c.due_us, where=c.state == "stored", of=[c.state])
        self._index("inbound_source", c.mailbox, c.source)
        self._index("inbound_event", c.event_id)
        self._index("inbound_message", c.message_key, where=c.message_key != "")
        self._index("inbound_ticket", c.ticket, where=c.ticket.is_not(None))
        self._index("inbound_author", c.author, c.stored_us, where=c.author != "")
        self._index("inbound_stored", c.stored_us)
        self._index("inbound_unpurged", c.category, c.stored_us, where=c.raw_purged_us.is_(None), of=[c.raw_purged_us])
        return table

    def _parked(self) -> AnyTable:
        table = self._table(
            "parked",
            _id("id", primary_key=True),
            _name("queue"),
            _name("job_id"),
            _name("kind", 16),
            _name("cause", 64),
            Column("reason", _text(), nullable=False, server_default=""),
            Column("body", _bytes(), nullable=False),
            _us("parked_us"),
            _count("times"),
            _us("ended_us", nullable=True),
        )
        self._index("parked_waiting", table.c.parked_us, where=table.c.ended_us.is_(None), of=[table.c.ended_us])
        self._index("parked_ended", table.c.ended_us, where=table.c.ended_us.is_not(None))
        return table


@lru_cache(maxsize=16)
def tables(prefix: str, *, partial_indexes: bool = True) -> Tables:
    """The tables of ``prefix``, built once."""
    return Tables(prefix, partial_indexes=partial_indexes)


class RoadTables(Tables):
    """Not the spool's tables, but those of the road to it: jobs that wait for their relay, and large content on its way."""

    def __init__(self, prefix: str, *, partial_indexes: bool = True) -> None:
        self.prefix = prefix
        self._partial_indexes = partial_indexes
        self.metadata = MetaData()
        self.meta = self._table("meta", Column("name", _text(64), primary_key=True), Column("value", _text(), nullable=False))
        self.leaving = self._leaving()
        self.shared = self._shared()

    @property
    def mark(self) -> AnyTable:
        """As the base says."""
        return self.leaving

    def _leaving(self) -> AnyTable:
        table = self._table(
            "outbox",
            Column("number", _serial(), primary_key=True, autoincrement=True),
            _id("job_id"),
            Column("body", _bytes(), nullable=False),
            _us("at_us"),
            _us("due_us"),
            _us("published_us", nullable=True),
            _count("tries"),
            Column("error", _text(), nullable=False),
        )
        self._index("outbox_due", table.c.due_us, table.c.number)
        self._index("outbox_job", table.c.job_id)
        return table

    def _shared(self) -> AnyTable:
        table = self._table(
            "blob",
            Column("tenant", _text(64), primary_key=True),
            Column("digest", _text(80), primary_key=True),
            Column("content", _bytes(), nullable=False),
            _us("touched_us"),
        )
        self._index("blob_touched", table.c.touched_us)
        return table


@lru_cache(maxsize=16)
def road_tables(prefix: str, *, partial_indexes: bool = True) -> RoadTables:
    """The road's tables of ``prefix``, built once."""
    return RoadTables(prefix, partial_indexes=partial_indexes)
