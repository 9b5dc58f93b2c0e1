"""What settings must fit together: names that refer to one another, and what the parts of the domain accept."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import ALERT_ROUTE, lanes_of, limits_of, schedules_of
from ticketmail.app.settings_values import scheme_of
from ticketmail.domain.errors import SettingsError

__all__ = ["ALERT_ROUTE", "check_together"]


def check_together(settings: Settings) -> None:
    """Raises SettingsError naming the setting that does not fit, and what would."""
    for name, account in settings.accounts.items():
        if account.gateway:
            _known(account.gateway, settings.gateways, f"accounts.{name}.gateway", "gateway")
        elif not scheme_of(account.url.get_secret_value()):
            raise SettingsError("Not a URL.", name=f"accounts.{name}.url", remedy="Write smtp://user:password@host:587.")
        if account.token is not None and account.auth != "oauth2":
            raise SettingsError('A token needs auth = "oauth2".', name=f"accounts.{name}.token", remedy="Set auth.")
    for name, gateway in settings.gateways.items():
        if not scheme_of(gateway.url.get_secret_value()):
            raise SettingsError("Not a URL.", name=f"gateways.{name}.url", remedy="Write smtp://host:587.")
    if not scheme_of(settings.spool.url.get_secret_value()):
        raise SettingsError("Not a URL.", name="spool.url", remedy="Write sqlite:///ticketmail.db or postgresql://host/database.")
    _check_routes(settings)
    _check_alerts(settings)
    _check_modes(settings)
    for name in settings.accounts:
        limits_of(settings, name)
    lanes_of(settings)
    schedules_of(settings)


def _check_routes(settings: Settings) -> None:
    for sender, accounts in settings.routes.items():
        name = f"routes.{sender}"
        if sender == ALERT_ROUTE:
            raise SettingsError(f"{ALERT_ROUTE!r} is the route of alarms.", name=name, remedy="Set alerts.mail_account instead.")
        if not accounts:
            raise SettingsError("A route needs at least one account.", name=name)
        if len(set(accounts)) != len(accounts):
            raise SettingsError("An account is listed twice.", name=name)
        for account in accounts:
            _known(account, settings.accounts, name, "account")


def _check_alerts(settings: Settings) -> None:
    alerts = settings.alerts
    if alerts.mail_account:
        _known(alerts.mail_account, settings.accounts, "alerts.mail_account", "account")
    if alerts.mail_to and not alerts.mail_account:
        raise SettingsError(
            "Mail to administrators needs an account of its own.",
            name="alerts.mail_account",
            remedy="Name one that other mail does not depend on.",
        )


def _check_modes(settings: Settings) -> None:
    target = settings.redirect_to
    if target is not None and settings.only_to and not {target.key, target.domain} & set(settings.only_to):
        raise SettingsError(
            "only_to does not allow this address, so no mail would ever leave.", name="redirect_to", remedy="List it."
        )


def _known(name: str, known: Iterable[str], setting: str, kind: str) -> None:
    names = list(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(names)) or 'none'}."
    raise SettingsError(f"There is no {kind} {name!r}.", name=setting, remedy=hint)
