"""What the worker needs of settings: gateways behind their guards, and the domain's values."""

from __future__ import annotations

from collections.abc import Mapping

from ticketmail.app.guarding import GuardedGateway
from ticketmail.app.plugins import open_gateway
from ticketmail.app.settings import AccountSettings, Settings
from ticketmail.app.settings_limits import limits_of as account_limits
from ticketmail.app.settings_outbound import lane_ends, lanes_of, policy_of, retention_of, routes_of, schedules_of
from ticketmail.app.settings_values import host_of, with_login
from ticketmail.app.usecases.marking import Marks
from ticketmail.app.wiring.oauth import RefreshingToken, TokenSource
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

__all__ = [
    "account_limits",
    "account_url",
    "gateway_options",
    "guarded",
    "lane_ends",
    "lanes_of",
    "open_account",
    "open_gateways",
    "policy_of",
    "retention_of",
    "routes_of",
    "schedules_of",
    "server_of",
]


def open_gateways(settings: Settings, *, tokens: Mapping[str, TokenSource] | None = None) -> dict[str, Gateway]:
    """A gateway per account, with ``mode``, ``redirect_to`` and ``only_to`` applied last. Nothing is connected.

    ``tokens`` are a host's own OAuth2 token sources by account; they win over ``[accounts.X.token]``.
    Raises SettingsError, UnknownScheme, MissingExtra naming the setting.
    """
    return {name: guarded(settings, open_account(settings, name, tokens or {})) for name in settings.accounts}


def guarded(settings: Settings, gateway: Gateway) -> Gateway:
    """``gateway`` behind the modes of ``settings``."""
    return GuardedGateway(gateway, shadow=settings.mode == "shadow", redirect_to=settings.redirect_to, only_to=settings.only_to)


def account_url(settings: Settings, name: str) -> str:
    """The URL of an account, with the login filled in. It may hold a password: never show it."""
    account = settings.accounts[name]
    url = account.url if not account.gateway else settings.gateways[account.gateway].url
    return with_login(url.get_secret_value(), account.user, account.password.get_secret_value())


def server_of(settings: Settings, name: str) -> str:
    """The server behind an account, lower case; '' for an unknown account, or one without a server (null, file)."""
    return host_of(account_url(settings, name)) if name in settings.accounts else ""


def gateway_options(settings: Settings, name: str, token: TokenSource | None = None) -> GatewayOptions:
    """The options of an account's gateway."""
    account = settings.accounts[name]
    limits = account_limits(settings, name)
    return GatewayOptions(
        account=name,
        connections=limits.slots,
        messages_per_connection=limits.messages_per_connection,
        seconds_per_connection=account.seconds_per_connection,
        auth=account.auth,
        token=token,
        allow_plaintext=account.allow_plaintext,
        ca_file=account.ca_file,
        helo=account.helo,
        timeouts_s=tuple(account.timeouts.items()),
        dsn=account.dsn,
        pipelining=account.pipelining,
        extra=tuple(account.options.items()),
    )


def open_account(settings: Settings, name: str, tokens: Mapping[str, TokenSource]) -> Gateway:
    """An account's own gateway, before modes are applied. Raises as :func:`open_gateways`."""
    account = settings.accounts[name]
    options = gateway_options(settings, name, _token(account, name, tokens))
    setting = f"gateways.{account.gateway}.url" if account.gateway else f"accounts.{name}.url"
    return open_gateway(account_url(settings, name), options, name=setting)


def _token(account: AccountSettings, name: str, tokens: Mapping[str, TokenSource]) -> TokenSource | None:
    if account.auth != "oauth2":
        return None
    if name in tokens:
        return tokens[name]
    if account.token is None:
        raise SettingsError(
            'auth = "oauth2" needs a token source.',
            name=f"accounts.{name}.token",
            remedy="Set url, client_id and refresh_token there, or pass TicketMail(tokens={...}).",
        )
    return RefreshingToken(account.token, name=name)


def marks_of(settings: Settings, account: str) -> Marks:
    """What an account puts into its mails so that answers find back. None for an account that is gone meanwhile."""
    said = settings.accounts.get(account)
    if said is None:
        return Marks()
    bounce_to = said.bounce_to.addr_spec if said.bounce_to is not None else ""
    return Marks(reply_to=said.reply_token, bounce_to=bounce_to, body=said.body_marker, subject=said.subject_tag)
