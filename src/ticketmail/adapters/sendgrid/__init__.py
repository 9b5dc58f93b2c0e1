"""SendGrid's API v3: ``sendgrid://:KEY@api.sendgrid.com`` (Europe: ``api.eu.sendgrid.com``)."""

from __future__ import annotations

from ticketmail.adapters._http.needing import needing
from ticketmail.adapters._http.server import required_key, server_of
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

__all__ = ["create"]

_EXAMPLE = "sendgrid://:KEY@api.sendgrid.com"


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``sendgrid``. Opens nothing.

    Raises:
        SettingsError: the URL cannot be understood, or has no key.
        MissingExtra: httpx is not installed.
    """
    with needing("sendgrid", options):
        from ticketmail.adapters._http.gateway import keyed
        from ticketmail.adapters.sendgrid.api import SendGrid
    server = server_of(url, options, example=_EXAMPLE)
    return keyed(SendGrid(), server, options, key=required_key(server, options, example=_EXAMPLE), scheme="sendgrid")
