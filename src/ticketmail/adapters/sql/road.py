"""What a host that hands over to a broker keeps in a database: jobs that wait for their relay, and large content on its way.

Three small tables with a prefix of their own, made and joined as the spool's are.
"""

from __future__ import annotations

from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.host_outbox import SqlHostOutbox
from ticketmail.adapters.sql.schema import road_tables
from ticketmail.adapters.sql.shared import SqlSharedBlobs
from ticketmail.adapters.sql.stores import store_for
from ticketmail.domain.ports.relaying import HostOutbox, HostOutboxOptions
from ticketmail.domain.ports.sharing import SharedBlobs
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.ports.timing import Clock


def create_outbox(url: str, options: HostOutboxOptions) -> HostOutbox:
    """A host's outbox at ``url``: ``sqlite:///file.db``, ``postgresql://user:password@host/database``, ``mariadb://...``.

    Raises SettingsError: the URL cannot be read, or names SQLite in memory; UnknownScheme.
    """
    spool_options = SpoolOptions(
        site="road",
        prefix=options.prefix,
        busy_timeout_s=options.busy_timeout_s,
        allow_lossy=options.allow_lossy,
        create=options.create,
        pool_size=options.pool_size,
        clock=options.clock,
    )
    return SqlHostOutbox(_database(url, spool_options, setting="outbox.url"))


def create_blobs(url: str, clock: Clock | None = None) -> SharedBlobs:
    """Large content on its way, in the database at ``url``: as :func:`create_outbox`. ``clock`` None: the database's own."""
    options = SpoolOptions(site="road", prefix=HostOutboxOptions().prefix, clock=clock)
    return SqlSharedBlobs(_database(url, options, setting="broker.blobs"))


def _database(url: str, options: SpoolOptions, *, setting: str) -> Database:
    parsed, store = store_for(url, options, setting=setting)
    return Database(parsed, options, store, road_tables)
