"""Amazon SES's API v2: ``ses://KEY_ID:SECRET@email.eu-central-1.amazonaws.com``; without a login as AWS's own tools find one."""

from __future__ import annotations

from ticketmail.adapters._http.needing import needing
from ticketmail.adapters._http.server import server_of
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

__all__ = ["create"]

_EXAMPLE = "ses://KEY_ID:SECRET@email.eu-central-1.amazonaws.com"
_QUERY = ("region", "configuration_set")


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``ses``. Opens nothing.

    Raises:
        SettingsError: the URL cannot be understood, or names no region.
        MissingExtra: httpx or botocore is not installed.
    """
    with needing("ses", options):
        from ticketmail.adapters._http.caller import Caller
        from ticketmail.adapters.ses.api import Ses, region_of
        from ticketmail.adapters.ses.gateway import SesGateway
        from ticketmail.adapters.ses.signing import Signer
    server = server_of(url, options, example=_EXAMPLE, query=_QUERY)
    asked = dict(server.query)
    secret = server.secret.get_secret_value()
    signer = Signer(server.origin, region_of(server.host, asked.get("region", ""), options.account), server.user, secret)
    api = Ses(asked.get("configuration_set", ""))
    return SesGateway(api, Caller(server, options), signer, shown=f"ses://{server.host}", secrets=[secret])
