"""The spool on SQLite, PostgreSQL and MariaDB, through SQLAlchemy Core. ``create`` is the entry point."""

from ticketmail.adapters.sql.spool import create

__all__ = ["create"]
