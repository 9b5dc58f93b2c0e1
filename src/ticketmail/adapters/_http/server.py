"""Where a provider's API is: read from an account's URL. Needs no extra."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.sending import GatewayOptions

#: Seconds to connect (TLS included), and from the first byte of the mail to the whole answer.
CONNECT_S: Final = 30.0
ANSWER_S: Final = 120.0
#: What an HTTP header takes; a line end within would forge one.
_VISIBLE: Final = re.compile(r"[\x21-\x7e]*")
_PHASES: Final = {"connect": CONNECT_S, "dot": ANSWER_S}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """``origin`` is ``https://host`` with the port, if one was given; plain HTTP to loopback alone. ``query`` is the vendor's.

    ``connect_s`` and ``answer_s``: the time-outs of the phases ``connect`` and ``dot``.
    """

    origin: str
    host: str
    user: str = ""
    secret: SecretStr = field(default=SecretStr(""))
    query: tuple[tuple[str, str], ...] = ()
    ca_file: str = ""
    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S


def server_of(url: str, options: GatewayOptions, *, example: str, query: Collection[str] = ()) -> ApiServer:
    """``example``: how to write the URL. ``query``: the parameters that the vendor knows beside ``ca_file``.

    Raises:
        SettingsError: no host, a port that is none, an unknown parameter or time-out, a key that no header can carry. Never
            shows the URL.
    """
    name = f"accounts.{options.account}.url" if options.account else "url"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SettingsError("cannot be read as a URL (is the port a number?)", name=name) from None
    if not host:
        raise SettingsError("names no host.", name=name, remedy=f"Write {example}.")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(asked) - {"ca_file", *query})
    if unknown:
        known = ", ".join(sorted({"ca_file", *query}))
        raise SettingsError(f"has an unknown parameter {unknown[0]!r}.", name=name, remedy=f"Known: {known}.")
    user, secret = unquote(parts.username or ""), unquote(parts.password or "")
    if not (_VISIBLE.fullmatch(user) and _VISIBLE.fullmatch(secret)):
        raise SettingsError("holds a key with blanks, line ends or letters beyond ASCII.", name=name, remedy="Copy the key anew.")
    ca_file = asked.pop("ca_file", options.ca_file)
    plain = _is_loopback(host) and not ca_file
    shown = f"[{host}]" if ":" in host else host
    times = _times(options)
    return ApiServer(
        origin=f"{'http' if plain else 'https'}://{shown}{f':{port}' if port else ''}",
        host=host,
        user=user,
        secret=SecretStr(secret),
        query=tuple(asked.items()),
        ca_file=ca_file,
        connect_s=times["connect"],
        answer_s=times["dot"],
    )


def required_key(server: ApiServer, options: GatewayOptions, *, example: str) -> str:
    """The API key, which stands where passwords stand: there it is masked wherever settings are shown. Raises SettingsError."""
    name = f"accounts.{options.account}.url" if options.account else "url"
    if server.secret.get_secret_value():
        return server.secret.get_secret_value()
    text = "has its key where a user's name stands, and that is shown." if server.user else "has no key."
    raise SettingsError(text, name=name, remedy=f"Write {example}, or set the account's password.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _times(options: GatewayOptions) -> dict[str, float]:
    """A provider has two of SMTP's phases; the others' time-outs mean nothing to it."""
    said = {phase: seconds for phase, seconds in options.timeouts_s if phase in _PHASES}
    wrong = next((f"{phase}={seconds}" for phase, seconds in options.timeouts_s if seconds <= 0), None)
    if wrong is not None:
        raise SettingsError(f"{wrong} is not a time-out.", name="timeouts", remedy="Use seconds > 0 for connect and dot.")
    return {**_PHASES, **said}
