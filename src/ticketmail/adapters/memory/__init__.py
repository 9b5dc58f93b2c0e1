"""The spool in memory: real, serialising, deterministic; for tests, demos and hosts that may lose mail on a restart."""

from ticketmail.adapters.memory.spool import create

__all__ = ["create"]
