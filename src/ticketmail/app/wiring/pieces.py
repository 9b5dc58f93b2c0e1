"""What a host plugs in by code, and settings cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ticketmail.app.settings import Settings
from ticketmail.app.wiring.oauth import TokenSource
from ticketmail.domain.errors import NoSpool
from ticketmail.domain.ports.alerting import AlertSink
from ticketmail.domain.ports.hosting import AttachmentFetcher, Evidence, Tickets, WantedCheck
from ticketmail.domain.ports.observing import Meter, Tracer
from ticketmail.domain.ports.spooling import SpoolAdapter


@dataclass(frozen=True)
class HostPieces:
    """None and () mean: nothing plugged in. ``tokens`` are OAuth2 token sources by account; ``alert_sinks`` add to those of
    the settings, ``live`` gives the settings in force where a host changes accounts while we run."""

    fetch: AttachmentFetcher | None = None
    evidence: Evidence | None = None
    wanted: WantedCheck | None = None
    tokens: Mapping[str, TokenSource] = field(default_factory=dict)
    alert_sinks: tuple[AlertSink, ...] = ()
    tracer: Tracer | None = None
    meter: Meter | None = None
    live: Callable[[], Settings] | None = None
    tickets: Tickets | None = None


@dataclass(frozen=True)
class Roads:
    """What is in use, for the facade: a class, for an injector is not asked for Protocols. ``spool`` is None where mail is handed
    over to a broker. ``closers`` are called in turn when it closes."""

    spool: SpoolAdapter | None
    closers: tuple[Callable[[], None], ...]


def no_spool() -> NoSpool:
    """For who asks a host that hands over to a broker for its spool."""
    return NoSpool(
        "This host hands its mail over to a broker and has no spool to look into.",
        remedy="Ask where the mail service runs (`ticketmail status`, `ticketmail why ID`), or listen for events.",
    )
