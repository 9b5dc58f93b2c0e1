"""SendGrid's API v3: ``sendgrid://:KEY@api.sendgrid.com`` (Europe: ``api.eu.sendgrid.com``)."""

from __future__ import annotations

from ticketmail.adapters._http.server import required_key, server_of
from ticketmail.domain.errors import MissingExtra
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

__all__ = ["create"]

_EXAMPLE = "sendgrid://:KEY@api.sendgrid.com"


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``sendgrid``. Opens nothing.

    Raises:
        SettingsError: the URL cannot be understood, or has no key.
        MissingExtra: httpx is not installed.
    """
    try:
        from ticketmail.adapters._http.caller import Caller
        from ticketmail.adapters._http.gateway import ApiGateway
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "httpx":
            raise
        raise MissingExtra("SendGrid needs httpx.", name=options.account, remedy="pip install 'ticketmail[sendgrid]'") from error
    from ticketmail.adapters._http.caller import bearer
    from ticketmail.adapters.sendgrid.api import SendGrid

    server = server_of(url, options, example=_EXAMPLE)
    key = required_key(server, options, example=_EXAMPLE)
    return ApiGateway(SendGrid(), Caller(server, options), bearer(key), shown=f"sendgrid://{server.host}", secrets=[key])
