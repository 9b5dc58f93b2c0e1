"""Types of single settings: durations, sizes, addresses, secret URLs. A refusal never repeats a value."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from ticketmail.domain.address import Address
from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.units import duration_s, size_bytes

DAY_S = 86_400.0


def _seconds(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else _translated(duration_s, value)


def _days(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return float(_seconds(value)) / DAY_S


def _bytes(value: Any) -> Any:
    return _translated(size_bytes, value)


def _translated(parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except TicketmailError as error:  # pydantic collects ValueErrors only from validators: keep the words, drop the type
        raise ValueError(str(error)) from error


def _one_or_many(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return () if value in (None, "") else (value,)


def _not_negative(value: float) -> float:
    if not 0 <= value < 10 * 365 * DAY_S:
        raise ValueError("a duration is between 0 and ten years")
    return value


def named(value: str) -> str:
    """``value``, if it can be a name of ours. Raises ValueError."""
    if not value or len(value.encode()) > 64 or any(char.isspace() or char in ":/*" or not char.isprintable() for char in value):
        raise ValueError("a name has 1 to 64 bytes without blanks, colons, slashes or asterisks")
    return value


def _address(value: Any) -> Any:
    return None if value in (None, "") else value


def _recipient(value: str) -> str:
    """An address, or a domain with or without ``@``; lower case."""
    spec = value.strip().lower()
    if "@" in spec.removeprefix("@"):
        return Address.model_validate(spec).key
    domain = spec.removeprefix("@")
    if not domain or any(char.isspace() for char in domain):
        raise ValueError(f"{value!r} is neither an address nor a domain")
    return domain


#: Seconds. Written as ``30s``, ``5m``, ``2h``, ``14d``, a number of seconds, or a timedelta.
Duration = Annotated[float, BeforeValidator(_seconds), AfterValidator(_not_negative)]
#: Days. Written with a unit, or a number of days.
Days = Annotated[float, BeforeValidator(_days)]
#: Bytes. Written as ``25MiB`` or a number of bytes.
Size = Annotated[int, BeforeValidator(_bytes)]
#: A name of an account, gateway, lane or site: a key in the spool, compared by bytes.
Name = Annotated[str, AfterValidator(named)]
OneOrMany = BeforeValidator(_one_or_many)
Texts = Annotated[tuple[str, ...], OneOrMany]
Schedule = Annotated[tuple[str, ...], OneOrMany]
Addresses = Annotated[tuple[Address, ...], OneOrMany]
OptionalAddress = Annotated[Address | None, BeforeValidator(_address)]
#: An address, or a whole domain, as ``only_to`` lists them.
Recipient = Annotated[str, AfterValidator(_recipient)]
#: A URL that may hold a password.
SecretUrl = SecretStr
#: URLs with a user and no password: that stands elsewhere, or there is none.
_WITH_USERS = frozenset(
    ["imap", "imaps", "amqp", "amqps", "redis", "rediss", "kafka", "postgresql", "postgres", "mysql", "mariadb"]
)


def masked(url: str | SecretStr) -> str:
    """``url`` without its password and query values, for people: ``smtp://help%40example.com:***@smtp.example.com:587``."""
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    try:
        parts = urlsplit(text)
    except ValueError:
        return "***"
    login, at, host = parts.netloc.rpartition("@")
    shown = _shown_login(login, parts.scheme)
    query = "&".join(f"{pair.partition('=')[0]}=***" for pair in parts.query.split("&")) if parts.query else ""
    # The path of an alert webhook is its secret; databases' and files' paths are not.
    path = "/***" if parts.scheme in ("http", "https") and len(parts.path) > 1 else parts.path
    shown_url = urlunsplit((parts.scheme, shown + at + host, path, query, ""))
    # urlunsplit drops an empty netloc's slashes: sqlite:////var/x would become sqlite://var/x.
    return shown_url if parts.netloc else f"{parts.scheme}://{path}{'?' * bool(query)}{query}"


def _shown_login(login: str, scheme: str) -> str:
    """A provider's key stands alone where elsewhere a user does, or as user and password both (Postmark's SMTP)."""
    user, colon, password = login.partition(":")
    is_key = user == password if scheme.startswith("smtp") else not colon and scheme.partition("+")[0] not in _WITH_USERS
    return ("***" if user and is_key else user) + (":***" if colon else "")


def with_login(url: str, user: str, password: str) -> str:
    """``url`` with ``user`` and ``password`` where it has none of its own. A key of a provider has no user."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    own_user, _, own_password = login.partition(":")
    name, secret = unquote(own_user) or user, unquote(own_password) or password
    if not (name or secret):
        return url
    filled = quote(name, safe="") + (f":{quote(secret, safe='')}" if secret else "")
    return urlunsplit(parts._replace(netloc=f"{filled}@{host}"))


def scheme_of(url: str) -> str:
    """The scheme of ``url``, lower case; '' if it has none."""
    scheme, colon, _ = url.partition(":")
    return scheme.lower() if colon else ""


def host_of(url: str) -> str:
    """The server that ``url`` names, lower case, without the port; '' if it names none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
