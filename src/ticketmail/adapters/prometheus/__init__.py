"""Prometheus metrics (extra ``prometheus``): counts and durations as they happen, and the spool as it is when scraped.

Names are those of ``docs/reference/metrics.md``, all below ``ticketmail_``; a registry of our own leaves a host's alone.
"""

from __future__ import annotations

from ticketmail.domain.errors import MissingExtra

__all__ = ["LimitGauges", "PrometheusMeter", "SpoolGauges"]

try:
    from ticketmail.adapters.prometheus.limits import LimitGauges
    from ticketmail.adapters.prometheus.meter import PrometheusMeter
    from ticketmail.adapters.prometheus.spool import SpoolGauges
except ImportError as error:  # pragma: no cover (the base install)
    if (error.name or "").partition(".")[0] != "prometheus_client":
        raise
    raise MissingExtra(
        "Metrics need prometheus-client.", name="prometheus", remedy="pip install 'ticketmail[prometheus]'"
    ) from error
