"""What settings must fit together: names that refer to one another, and what the parts of the domain accept."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ticketmail.app.settings import Settings
from ticketmail.app.settings_limits import gateway_limits_of, limits_of, profile_of
from ticketmail.app.settings_outbound import ALERT_ROUTE, lanes_of, schedules_of
from ticketmail.app.settings_values import scheme_of
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.routing import ANY, groups_of, may_send

__all__ = ["ALERT_ROUTE", "check_together"]


def check_together(settings: Settings, *, dynamic: bool = False) -> None:
    """Raises SettingsError naming the setting that does not fit, and what would. ``dynamic``: a host brings further accounts
    while we run, so routes may name some that are not there yet."""
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
    _check_road(settings)
    _check_webhook(settings)
    _check_mailboxes(settings)
    _check_return_paths(settings)
    _check_routes(settings, dynamic=dynamic)
    _check_alerts(settings)
    _check_modes(settings)
    for name in settings.accounts:
        limits_of(settings, name)
    gateway_limits_of(settings)
    lanes_of(settings)
    schedules_of(settings)


#: Vendors that send as the mailbox alone, whatever the return path says.
_OWN_RETURN_PATH = frozenset({"office365", "google-workspace"})


def _check_return_paths(settings: Settings) -> None:
    for name, account in settings.accounts.items():
        profile = profile_of(settings, name) if account.bounce_to is not None else None
        if profile is not None and profile.name in _OWN_RETURN_PATH:
            text = f"{profile.name} takes no other return path than the mailbox."
            raise SettingsError(text, name=f"accounts.{name}.bounce_to", remedy="Unset it.")


def _check_mailboxes(settings: Settings) -> None:
    for protocol in ("lmtp", "smtp"):
        where = getattr(settings.receiver, protocol)
        if where and not where.rpartition(":")[2].isdigit():
            raise SettingsError("Not host:port.", name=f"receiver.{protocol}", remedy="Write 127.0.0.1:2424.")
    for name, box in settings.mailboxes.items():
        url = box.url.get_secret_value()
        if url and not scheme_of(url):
            raise SettingsError("Not a URL.", name=f"mailboxes.{name}.url", remedy="Write imaps://user:password@host.")
        if box.token is not None and box.auth != "oauth2":
            raise SettingsError('A token needs auth = "oauth2".', name=f"mailboxes.{name}.token", remedy="Set auth.")


def _check_routed(settings: Settings, sender: str, account: str, *, dynamic: bool) -> None:
    if account not in settings.accounts and dynamic:
        return
    _known(account, settings.accounts, f"routes.{sender}", "account")
    senders = settings.accounts[account].senders
    if not may_send(senders, sender.removeprefix("@")):
        said = "anybody" if sender == ANY else sender
        raise SettingsError(
            f"The account {account!r} may send as {', '.join(senders)} only, not as {said}.",
            name=f"routes.{sender}",
            remedy=f"Take it out of the route, or add the sender to accounts.{account}.senders.",
        )


def _check_road(settings: Settings) -> None:
    broker, outbox, bridge = (one.get_secret_value() for one in (settings.broker.url, settings.outbox.url, settings.bridge))
    if broker and not scheme_of(broker):
        raise SettingsError("Not a URL.", name="broker.url", remedy="Write amqp://user:password@host// or redis://host/0.")
    blobs = settings.broker.blobs.get_secret_value()
    if blobs and not scheme_of(blobs):
        raise SettingsError("Not a URL.", name="broker.blobs", remedy="Write file:///srv/blobs or s3://bucket.")
    for name, url in (("outbox", outbox), ("bridge", bridge)):
        if url and not scheme_of(url):
            raise SettingsError("Not a URL.", name=name, remedy="Write sqlite:///file.db or postgresql://host/database.")
        if url and not settings.by_broker:
            text = "It leads to a broker, and this host hands over to " + ("its own spool." if broker else "none.")
            raise SettingsError(text, name=name, remedy="Leave it out." if broker else "Set broker, too.")
    if outbox and bridge:
        raise SettingsError("An outbox needs no bridge: it waits for the broker itself.", name="bridge", remedy="Leave it out.")


def _check_routes(settings: Settings, *, dynamic: bool) -> None:
    for sender, accounts in settings.routes.items():
        name = f"routes.{sender}"
        if sender == ALERT_ROUTE:
            raise SettingsError(f"{ALERT_ROUTE!r} is the route of alarms.", name=name, remedy="Set alerts.mail_account instead.")
        names = [account for group in groups_of(accounts) for account in group]
        if not names:
            raise SettingsError("A route needs at least one account.", name=name)
        if len(set(names)) != len(names):
            raise SettingsError("An account is listed twice.", name=name)
        for account in names:
            _check_routed(settings, sender, account, dynamic=dynamic)


def _check_webhook(settings: Settings) -> None:
    url = settings.webhook.url.get_secret_value()
    if url and scheme_of(url) not in ("http", "https"):
        raise SettingsError("Not an http or https URL.", name="webhook.url", remedy="Write https://host/path.")
    if url and settings.broker.events:
        raise SettingsError(
            "Events have one reader, and [webhook] names another.", name="broker.events", remedy="Take out one of the two."
        )


def _check_alerts(settings: Settings) -> None:
    alerts = settings.alerts
    if alerts.mail_account:
        _known(alerts.mail_account, settings.accounts, "alerts.mail_account", "account")
    senders = settings.accounts[alerts.mail_account].senders if alerts.mail_account in settings.accounts else ()
    if alerts.mail_from is not None and not may_send(senders, alerts.mail_from.key):
        text = f"The account {alerts.mail_account!r} may send as {', '.join(senders)} only."
        raise SettingsError(text, name="alerts.mail_from", remedy="Name one of these.")
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
