"""Secrets and grants of OAuth2 that end on a day that is known: said while there is time to renew them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ticketmail.app.usecases.report.models import Finding, Level
from ticketmail.app.usecases.report.times import span

#: Said from so long before on; it is bad in the last days (seconds).
SOON_S, LAST_S = 21 * 86_400.0, 3 * 86_400.0


def on_grants(grants: Mapping[str, int], now_us: int) -> Iterable[Finding]:
    """One finding for each that ends soon or has ended. ``grants``: whose, and when it ends (UTC microseconds)."""
    for name, ends_us in grants.items():
        left_s = (ends_us - now_us) / 1e6
        if left_s < SOON_S:
            text = f"Its OAuth2 grant ends in {span(left_s)}." if left_s > 0 else f"Its OAuth2 grant ended {span(-left_s)} ago."
            remedy = "Renew the secret or the consent, put it into the settings, and set token.expires to its new end."
            yield Finding(Level.BAD if left_s < LAST_S else Level.WARN, name, text, remedy)
