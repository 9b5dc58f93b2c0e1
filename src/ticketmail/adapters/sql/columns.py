"""Kinds of columns, the same on every database: text by bytes, ids, times, counts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Text
from sqlalchemy.dialects.mysql import LONGBLOB, MEDIUMTEXT
from sqlalchemy.types import TypeEngine

#: MariaDB's collation by bytes that does not take "a " for "a".
_BYTES = "utf8mb4_nopad_bin"


def text(length: int | None = None) -> TypeEngine[str]:
    """Text that is compared by bytes on every database."""
    plain: TypeEngine[str] = String(length) if length else Text()
    sorted_by_bytes: TypeEngine[str] = String(length, collation="C") if length else Text(collation="C")
    in_mariadb: TypeEngine[str] = String(length, collation=_BYTES) if length else MEDIUMTEXT(collation=_BYTES)
    return plain.with_variant(sorted_by_bytes, "postgresql").with_variant(in_mariadb, "mariadb")


def blob() -> TypeEngine[bytes]:
    """Bytes of any length."""
    return LargeBinary().with_variant(LONGBLOB(), "mariadb")


def serial() -> TypeEngine[int]:
    """A key that the database counts up. SQLite only counts ``INTEGER PRIMARY KEY``."""
    return BigInteger().with_variant(Integer(), "sqlite")


ID = text(32)


def named(name: str, length: int = 255, default: str | None = "") -> Column[str]:
    """A short text; NULL where ``default`` is None."""
    return Column(name, text(length), nullable=default is None, server_default=default)


def ident(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[str]:
    """A UUID in hex, without dashes."""
    return Column(name, ID, primary_key=primary_key, nullable=nullable)


def microseconds(name: str, *, nullable: bool = False) -> Column[int]:
    """A UTC time."""
    return Column(name, BigInteger, nullable=nullable)


def count(name: str) -> Column[int]:
    """A number that begins with 0."""
    return Column(name, Integer, nullable=False, server_default="0")


#: Options of every table.
IN_MARIADB: dict[str, Any] = {"mariadb_engine": "InnoDB", "mariadb_default_charset": "utf8mb4", "mariadb_collate": _BYTES}
