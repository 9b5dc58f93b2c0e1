"""Mailboxes of the settings, as their adapters want them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ticketmail.app.plugins import open_mailbox
from ticketmail.app.settings import MailboxSettings, Settings
from ticketmail.app.wiring.oauth import RefreshingToken, TokenSource
from ticketmail.domain.errors import MailboxRefused, MailboxUnreachable, SettingsError
from ticketmail.domain.ports.receiving import Mailbox, MailboxOptions

_TOKEN_S = 60.0


def make_mailbox(
    settings: Settings,
    name: str,
    tokens: Mapping[str, TokenSource],
    loop: asyncio.AbstractEventLoop | None = None,
    *,
    read_only: bool = False,
) -> Mailbox:
    """The source of ``[mailboxes.NAME]``; nothing is opened. ``loop`` is where token sources run; None: they get one of their
    own. ``read_only``: nothing there is changed, as in shadow mode. Raises SettingsError kin."""
    box = settings.mailboxes[name]
    return open_mailbox(
        box.url.get_secret_value(),
        MailboxOptions(
            user=box.user,
            password=box.password.get_secret_value(),
            token=_token(name, box, tokens, loop) if box.auth == "oauth2" else None,
            folders=box.folders,
            processed=box.processed,
            history_s=box.history,
            idle_s=box.idle,
            max_size_bytes=box.max_size,
            allow_plaintext=box.allow_plaintext,
            ca_file=box.ca_file,
            read_only=read_only or settings.mode == "shadow",
            options=box.options,
        ),
        name=f"mailboxes.{name}.url",
    )


def _token(
    name: str, box: MailboxSettings, tokens: Mapping[str, TokenSource], loop: asyncio.AbstractEventLoop | None
) -> Callable[[bool], str]:
    source = tokens.get(name) or (RefreshingToken(box.token, name=name) if box.token is not None else None)
    if source is None:
        raise SettingsError(
            'auth = "oauth2" needs a token source.',
            name=f"mailboxes.{name}.token",
            remedy=f"Add [mailboxes.{name}.token], or TicketMail(tokens={{{name!r}: ...}}).",
        )

    def token(force: bool) -> str:
        """Called in the mailbox's thread."""

        async def ask() -> str:
            return await source(force)

        try:
            if loop is None:
                return asyncio.run(ask())
            return asyncio.run_coroutine_threadsafe(ask(), loop).result(_TOKEN_S)
        except PermissionError as error:
            raise MailboxRefused(str(error), remedy="Renew the grant; see the OAuth2 how-to.") from error
        except OSError as error:
            raise MailboxUnreachable(f"No token for mailbox {name}: {error}") from error

    return token
