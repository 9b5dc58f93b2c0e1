"""What the settings say, as reports need it."""

from __future__ import annotations

from datetime import UTC, datetime, time

from ticketmail.app.plugins import open_gateway
from ticketmail.app.settings import Settings
from ticketmail.app.settings_limits import combined_of, servers_of
from ticketmail.app.settings_outbound import lanes_of, missing_of, routes_of
from ticketmail.app.settings_values import masked, scheme_of
from ticketmail.app.usecases.report import AccountFacts, Facts
from ticketmail.app.wiring.sending import account_url, gateway_options, server_of
from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.outbound.server import Server

#: Ours that mail nobody, and that mail somebody, for which no library need be loaded; others are asked.
_SILENT = ("null", "file")
_SPEAKING = ("smtp", "smtps", "sendgrid", "ses", "resend")


def facts_of(settings: Settings) -> Facts:
    """Facts for reports. Opens no connection; an account whose gateway cannot be made counts as one with a network."""
    servers = servers_of(settings)
    accounts = {name: _account(settings, name, servers.get(name)) for name in settings.accounts}
    routes, lanes = routes_of(settings), lanes_of(settings)
    return Facts(
        site=settings.site,
        accounts=accounts,
        routes={name: routes.accounts_of(name) for name in routes.names()},
        groups={name: routes.groups_of(name) for name in routes.names()},
        missing=missing_of(settings),
        modes=tuple(_modes(settings, accounts)),
        lanes={name: lane.deadline_s for name, lane in lanes.items()},
        weights=lanes.weights(),
        reserves={name: lanes.reserved_from(name) for name, _ in lanes.items()},
        mailboxes=tuple(name for name, box in settings.mailboxes.items() if box.url.get_secret_value()),
        grants=_grants(settings),
    )


def _grants(settings: Settings) -> dict[str, int]:
    """The day that is named is the last one."""
    found: dict[str, int] = {}
    for kind, boxes in (("account", settings.accounts), ("mailbox", settings.mailboxes)):
        for name, box in boxes.items():
            if box.token is not None and box.token.expires is not None:
                end = datetime.combine(box.token.expires, time.max, UTC)
                found[f"{kind} {name}"] = int(end.timestamp() * 1_000_000)
    return found


def _account(settings: Settings, name: str, shares: Server | None) -> AccountFacts:
    network, server = _mails_somebody(settings, name), server_of(settings, name)
    combined = combined_of(settings, name)
    return AccountFacts(network=network, server=server, limits=combined.limits, sources=combined.sources, shares=shares)


def _mails_somebody(settings: Settings, name: str) -> bool:
    url = account_url(settings, name)
    scheme = scheme_of(url)
    if scheme in _SILENT:
        return False
    if scheme in _SPEAKING:
        return True
    try:
        return open_gateway(url, gateway_options(settings, name), name=name).capabilities.network
    except TicketmailError:
        return True  # doctor says what is wrong with it


def _modes(settings: Settings, accounts: dict[str, AccountFacts]) -> list[str]:
    found = []
    if settings.mode == "shadow":
        found.append("mode = shadow: everything is done but sending; nobody is mailed, mailboxes are read and left as they are.")
    if settings.redirect_to is not None:
        found.append(f"redirect_to: all mail goes to {settings.redirect_to.addr_spec} alone.")
    if settings.only_to:
        found.append(f"only_to: nobody but {', '.join(settings.only_to)} is mailed.")
    for name, facts in accounts.items():
        if not facts.network:
            found.append(f"Account {name!r} mails nobody: {masked(account_url(settings, name))}.")
    return found
