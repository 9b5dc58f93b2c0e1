"""SMTP: ``smtp://user:secret@host:587`` (STARTTLS) and ``smtps://`` (TLS from the first byte)."""

from __future__ import annotations

from ticketmail.domain.errors import MissingExtra
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

__all__ = ["create"]


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``smtp`` and ``smtps``. Opens nothing.

    Raises:
        SettingsError: the URL or a time-out cannot be understood.
        MissingExtra: aiosmtplib is not installed.
    """
    try:
        from ticketmail.adapters.smtp.gateway import SmtpGateway
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "aiosmtplib":
            raise
        raise MissingExtra("SMTP needs aiosmtplib.", name=options.account, remedy="pip install 'ticketmail[worker]'") from error
    from ticketmail.adapters.smtp.target import target_of

    return SmtpGateway(target_of(url, options), options)
