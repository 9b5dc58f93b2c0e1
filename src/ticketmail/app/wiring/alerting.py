"""Ways to administrators, made of settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import unquote, urlsplit

from ticketmail.adapters.alerting import LogSink, MailSink, WebhookSink
from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import ALERT_ROUTE
from ticketmail.app.usecases.alert import Alerts, safe_sinks
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.wiring.sending import account_url, server_of
from ticketmail.domain.address import Address
from ticketmail.domain.ports.alerting import Alert, AlertSink
from ticketmail.domain.ports.delivering import Book

_log = logging.getLogger("ticketmail.alert")


def make_alerts(
    settings: Settings,
    book: Book,
    submit: Submit,
    *,
    sinks: Sequence[AlertSink] = (),
    live: Callable[[], Settings] | None = None,
) -> Alerts:
    """The use case that raises and resolves alerts; ``sinks`` are the host's own beside those of the settings. ``live`` gives
    the settings in force, where accounts may change."""
    return Alerts(
        book,
        [*sinks_of(settings, submit), *sinks],
        log=LogSink(),
        site=settings.site,
        cool_down_s=settings.alerts.cool_down,
        server_of=lambda account: server_of(live() if live is not None else settings, account),
    )


def sinks_of(settings: Settings, submit: Submit) -> list[AlertSink]:
    """Webhook and mail, as far as they are set. Mail goes by a route of its own to the one account named for it."""
    alerts, sinks = settings.alerts, list[AlertSink]()
    if url := alerts.webhook.get_secret_value():
        sinks.append(WebhookSink(url, secret=alerts.webhook_secret.get_secret_value()))
    if alerts.mail_to:
        sender = alerts.mail_from or _login(settings, alerts.mail_account) or alerts.mail_to[0]
        hand_over = partial(submit.one, route=ALERT_ROUTE)
        sinks.append(MailSink(hand_over, account=alerts.mail_account, sender=sender, to=alerts.mail_to))
    return sinks


def teller(settings: Settings, sinks: Sequence[AlertSink]) -> Callable[[Alert], None]:
    """Tells alarms of a host without a spool: to the log, to the webhook of the settings, to the host's own ``sinks``. For
    threads without a running loop; never raises."""
    url = settings.alerts.webhook.get_secret_value()
    webhook = [WebhookSink(url, secret=settings.alerts.webhook_secret.get_secret_value())] if url else []

    def tell(alert: Alert) -> None:
        LogSink().write(alert)
        for sink in (*webhook, *sinks):
            try:
                asyncio.run(sink.send(alert))
            except Exception as error:  # the log has it
                _log.error("an alarm could not be told by %s: %s", type(sink).__name__, type(error).__name__)

    return tell


def blind_accounts(settings: Settings, sinks: Sequence[AlertSink]) -> tuple[str, ...]:
    """Accounts about which no alarm could leave but by the log: each way leads through them or their server. For ``doctor``."""
    server = partial(server_of, settings)
    return tuple(name for name in settings.accounts if not safe_sinks(sinks, [name], server))


def _login(settings: Settings, account: str) -> Address | None:
    """The account's login where that is an address: many servers take mail only from it."""
    user = unquote(urlsplit(account_url(settings, account)).username or "")
    try:
        return Address.model_validate(user)
    except ValueError:
        return None
