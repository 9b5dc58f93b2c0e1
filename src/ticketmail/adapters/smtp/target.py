"""Where to send: the parts of ``smtp://user:secret@host:587?tls=required`` and the time-outs by phase."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.outcome import Phase
from ticketmail.domain.ports.sending import GatewayOptions

_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]*")

TlsMode = Literal["implicit", "required", "optional", "none"]

#: RFC 5321 section 4.5.3.2: minimums, seconds. The dot's ten minutes keep a slow server from making copies (RFC 1047).
RFC_TIMEOUTS_S: dict[Phase, float] = {
    Phase.CONNECT: 30.0,  # not in the RFC; Postfix's smtp_connect_timeout
    Phase.BANNER: 300.0,
    Phase.EHLO: 300.0,
    Phase.TLS: 60.0,
    Phase.AUTH: 120.0,
    Phase.MAIL: 300.0,
    Phase.RCPT: 300.0,
    Phase.DATA: 120.0,
    Phase.BODY: 180.0,
    Phase.DOT: 600.0,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to talk to it. The password is a ``SecretStr`` and in no ``repr``."""

    host: str
    port: int
    tls: TlsMode
    username: str = ""
    password: SecretStr = field(default=SecretStr(""), repr=False)
    ca_file: str = ""
    auth: str = "password"
    plaintext: bool = False  #: may speak without TLS where none is offered
    helo: str = ""
    timeouts_s: dict[Phase, float] = field(default_factory=lambda: dict(RFC_TIMEOUTS_S), repr=False)

    @property
    def logs_in(self) -> bool:
        return self.auth != "none" and bool(self.username)

    def __str__(self) -> str:
        """For people: no user, no password."""
        return f"{'smtps' if self.tls == 'implicit' else 'smtp'}://{self.host}:{self.port}"


def target_of(url: str, options: GatewayOptions) -> Target:
    """Read a URL and the settings beside it.

    User and password are percent-encoded (``smtp://help%40example.com:secret@smtp.example.com:587``). Default ports: smtps 465;
    smtp 587 with a login, else 25. ``tls`` is ``required``; ``optional``: used where offered, and where it is not, nothing is
    sent unless ``allow_plaintext``; or ``none``: needs ``allow_plaintext``. Loopback may always speak plainly. Default:
    ``optional``, and ``none`` for a loopback host without ``ca_file``, whose certificate nobody could have signed.

    Raises:
        SettingsError: no host, a port that is none, an unknown parameter or time-out. Never shows the URL (passwords).
    """
    name = f"accounts.{options.account}.url" if options.account else "url"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port
    except ValueError as error:
        raise SettingsError("cannot be read as a URL (is the port a number?)", name=name) from _without_text(error)
    if not host:
        remedy = "Write smtp://user:password@host:587, user and password %-encoded."
        raise SettingsError("names no host.", name=name, remedy=remedy)
    query = _query(parts.query, name)
    ca_file = query.get("ca_file", options.ca_file)
    plaintext = options.allow_plaintext or is_loopback(host)
    tls = _tls_mode(parts.scheme, query.get("tls"), loopback=is_loopback(host), ca_file=ca_file, name=name)
    if tls == "none" and not plaintext:
        remedy = "Remove it, or set allow_plaintext if the network is yours."
        raise SettingsError(f"tls=none would show mails and password to everyone on the way to {host}.", name=name, remedy=remedy)
    if not _HELO.fullmatch(options.helo):
        raise SettingsError(f"{options.helo!r} is no host name.", name="helo", remedy="Write a name such as desk.example.com.")
    username = unquote(parts.username or "")
    return Target(
        host=host,
        port=port or (465 if parts.scheme == "smtps" else 587 if username else 25),
        tls=tls,
        username=username,
        password=SecretStr(unquote(parts.password or "")),
        ca_file=ca_file,
        auth=options.auth,
        plaintext=plaintext,
        helo=options.helo,
        timeouts_s=_timeouts(options),
    )


def is_loopback(host: str) -> bool:
    """True for ``localhost`` and loopback addresses: what is said there leaves no machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _without_text(error: Exception) -> Exception:
    # urllib's messages quote the text they could not read, and it may be half a password.
    return type(error)("text withheld, it may hold a password")


def _query(text: str, name: str) -> dict[str, str]:
    query = dict(parse_qsl(text, keep_blank_values=True))
    unknown = sorted(set(query) - {"tls", "ca_file"})
    if unknown:
        raise SettingsError(f"has an unknown parameter {unknown[0]!r}.", name=name, remedy="Known are tls and ca_file.")
    return query


def _tls_mode(scheme: str, asked: str | None, *, loopback: bool, ca_file: str, name: str) -> TlsMode:
    if scheme == "smtps":
        if asked not in (None, "required"):
            text = f"smtps is always TLS, tls={asked!r} contradicts it."
            raise SettingsError(text, name=name, remedy="Use smtp:// for STARTTLS.")
        return "implicit"
    if asked is None:
        return "none" if loopback and not ca_file else "optional"
    if asked not in get_args(TlsMode)[1:]:
        raise SettingsError(f"tls={asked!r} is not known.", name=name, remedy="Use required, optional or none.")
    return asked  # type: ignore[return-value]


def _timeouts(options: GatewayOptions) -> dict[Phase, float]:
    timeouts = dict(RFC_TIMEOUTS_S)
    for phase, seconds in options.timeouts_s:
        if phase not in {known.value for known in Phase} or seconds <= 0:
            names = ", ".join(known.value for known in Phase)
            raise SettingsError(f"{phase}={seconds} is not a time-out.", name="timeouts", remedy=f"Use seconds > 0 for {names}.")
        timeouts[Phase(phase)] = float(seconds)
    return timeouts
