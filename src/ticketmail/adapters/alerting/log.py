"""Alerts in the log: the way that is always there."""

from __future__ import annotations

import logging

from ticketmail.adapters.alerting.wording import headline
from ticketmail.domain.ports.alerting import Alert

_LEVELS = {"page": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO}


class LogSink:
    """Writes to the logger ``ticketmail.alert``. Never raises."""

    @property
    def via_accounts(self) -> tuple[str, ...]:
        """None: a log needs no mail server."""
        return ()

    async def send(self, alert: Alert) -> None:
        """As the port says."""
        self.write(alert)

    def write(self, alert: Alert) -> None:
        """The same, for callers without an event loop."""
        level = logging.INFO if alert.resolved else _LEVELS[alert.level]
        fields = {
            "fingerprint": alert.fingerprint,
            "alert_text": alert.text,
            "accounts": list(alert.accounts),
            "count": alert.count,
            "resolved": alert.resolved,
        }
        logging.getLogger("ticketmail.alert").log(level, "%s", headline(alert), extra={"fields": fields})
