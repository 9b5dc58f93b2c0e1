"""Resend: ``resend://:KEY@api.resend.com``."""

from __future__ import annotations

from ticketmail.adapters._http.needing import needing
from ticketmail.adapters._http.server import required_key, server_of
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

__all__ = ["create"]

_EXAMPLE = "resend://:KEY@api.resend.com"


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``resend``. Opens nothing.

    Raises:
        SettingsError: the URL cannot be understood, or has no key.
        MissingExtra: httpx is not installed.
    """
    with needing("resend", options):
        from ticketmail.adapters._http.gateway import keyed
        from ticketmail.adapters.resend.api import Resend
    server = server_of(url, options, example=_EXAMPLE)
    return keyed(Resend(), server, options, key=required_key(server, options, example=_EXAMPLE), scheme="resend")
