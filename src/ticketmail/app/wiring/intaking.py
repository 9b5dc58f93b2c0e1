"""What takes jobs from a broker into the spool, made of settings."""

from __future__ import annotations

from collections.abc import Sequence

from injector import Injector

from ticketmail.app.settings import Settings
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.intake import TakeIn
from ticketmail.app.wiring.brokering import job_secrets, whole_of
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.ports.sharing import SharedBlobs
from ticketmail.domain.ports.spooling import SpoolAdapter


def take_in_of(
    settings: Settings,
    injector: Injector,
    spool: SpoolAdapter,
    *,
    shared: SharedBlobs | None,
    secrets: Sequence[bytes] | None = None,
) -> TakeIn:
    """Takes jobs into ``spool``. ``shared`` is the store of ``[broker] blobs``. ``secrets`` None: those of ``[broker]``; ():
    signatures are not asked for."""
    return TakeIn(
        compiler=injector.get(Compiler),
        spool=spool,
        secrets=job_secrets(settings) if secrets is None else secrets,
        now_us=injector.get(Timing).clock.now_us,
        whole=whole_of(shared),
    )
