"""The spool on SQLite and PostgreSQL, through SQLAlchemy Core. ``create`` is the entry point."""

from ticketmail.adapters.sql.spool import create

__all__ = ["create"]
