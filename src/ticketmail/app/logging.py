"""Logs: JSON lines for machines, coloured lines for people, and never a secret or a forged line in either.

The library logs through :mod:`logging` under ``ticketmail.*`` and touches no handler: a host's own set-up stands. The worker and
the CLI call :func:`set_up`. Without structlog (it comes with ``ticketmail[worker]``) lines are plain ``key=value``.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from ticketmail.app.settings import Settings

MASK = "***"
#: Shorter "secrets" would mask innocent text.
_LEAST_SECRET = 4
#: One of letters alone, up to this length, may be a word: it is none within a longer one (``secret`` in ``/run/secrets``).
_LONGEST_WORD = 12
_NAMED = r"(?:password|client_secret|refresh_token|access_token)['\"]?\s*"
_PATTERNS = (
    re.compile(r"(?i)(\bauthorization\s*[:=]\s*(?:(?:bearer|basic|digest)\s+)?)[^\s,;'\"]+"),
    re.compile(r"(?i)(\bAUTH\s+(?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2|OAUTHBEARER)\s+)[A-Za-z0-9+/=]+"),
    re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)"),
    # A reference such as file:/run/secrets/name is no secret, nor what stands behind a setting's name in an error of ours.
    re.compile(rf"(?i)(\b{_NAMED}=\s*['\"]?|(?<!\.)\b{_NAMED}:\s*['\"]?)(?!file:/)[^\s,;&'\"}}]+"),
)
_SECRET_KEYS = re.compile(r"(?i)(password|secret|token|authorization)$")
#: C0, DEL, C1, and the Unicode line breaks: what could forge a line or command a terminal.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Redaction:
    """Masks secrets and escapes control characters, in text and in structures. Also a structlog processor."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _LEAST_SECRET}
        # Longest first: a secret within another must not leave the other's rest readable.
        alternatives = "|".join(_pattern(form) for form in sorted(forms, key=len, reverse=True))
        self._known = re.compile(alternatives) if alternatives else None

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """structlog's processor: every value of the event."""
        for key, value in event.items():
            event[key] = self.value(value, key) if not key.startswith("_") else value
        return event

    def value(self, value: Any, key: str = "") -> Any:
        """``value`` with every text in it made safe. Tracebacks (``exception``) keep their line breaks."""
        if isinstance(value, str):
            masked = MASK if value and _SECRET_KEYS.search(key) else self.text(value)
            return masked if key == "exception" else escaped(masked)
        if isinstance(value, Mapping):
            return {name: self.value(one, str(name)) for name, one in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(one, key) for one in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self.value(str(value), key)

    def text(self, text: str) -> str:
        """``text`` without known secrets and what looks like one."""
        masked = self._known.sub(MASK, text) if self._known else text
        for pattern in _PATTERNS:
            masked = pattern.sub(rf"\g<1>{MASK}", masked)
        return masked


def escaped(text: str) -> str:
    r"""``text`` with control characters as ``\n`` or ``\x1b``, so that it stays one line."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Every secret in ``settings`` as text: passwords out of URLs, keys, tokens. For :class:`Redaction`."""
    return frozenset(_secrets_in(settings))


def set_up(
    *, level: str = "INFO", as_json: bool | None = None, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Log ``ticketmail.*`` to ``stream`` (standard error). ``as_json`` None: JSON unless it is a terminal.

    Calling it again replaces what it had set up. Other loggers are left alone.
    """
    out = stream or sys.stderr
    machine = as_json if as_json is not None else not out.isatty()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(Redaction(secrets), machine))
    logger = logging.getLogger("ticketmail")
    for old in [one for one in logger.handlers if getattr(one, "ticketmail", False)]:
        logger.removeHandler(old)
    handler.ticketmail = True  # type: ignore[attr-defined]
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


class LineFormatter(logging.Formatter):
    """Without structlog: ``2026-11-24T18:00:00Z WARNING ticketmail.worker: text key=value``, or the same as JSON."""

    def __init__(self, redaction: Redaction, machine: bool) -> None:
        super().__init__()
        self._redaction = redaction
        self._machine = machine

    def format(self, record: logging.LogRecord) -> str:
        """As :mod:`logging` says."""
        event = self._redaction("", "", _event(record))
        if record.exc_info:
            event["exception"] = self._redaction.text(self.formatException(record.exc_info))
        if self._machine:
            return json.dumps(event, default=str)
        head = f"{event.pop('timestamp')} {event.pop('level')} {event.pop('logger')}: {event.pop('event')}"
        trace = event.pop("exception", "")
        fields = "".join(f" {key}={value}" for key, value in event.items())
        return f"{head}{fields}" + (f"\n{trace}" if trace else "")


def _event(record: logging.LogRecord) -> dict[str, Any]:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = getattr(record, "fields", {})
    return {"timestamp": at, "level": record.levelname.lower(), "logger": record.name, "event": record.getMessage(), **fields}


def _formatter(redaction: Redaction, machine: bool) -> logging.Formatter:
    try:
        import structlog
    except ImportError:
        return LineFormatter(redaction, machine)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _fields_of_record,
    ]
    last: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redaction,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if machine else structlog.dev.ConsoleRenderer(colors=not machine)
    structlog.configure(
        processors=[*shared[:3], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*last, renderer])


def _fields_of_record(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """``extra={"fields": {...}}`` of a plain logging call becomes fields of the event."""
    record = event.get("_record")
    event.update(getattr(record, "fields", {}))
    return event


def _pattern(form: str) -> str:
    word = form.isalpha() and len(form) <= _LONGEST_WORD
    return rf"(?<!\w){form}(?!\w)" if word else re.escape(form)


def _forms(secret: str) -> Iterator[str]:
    """The spellings in which ``secret`` may turn up: as it is, and as in a URL."""
    yield secret
    yield quote(secret, safe="")
    yield unquote(secret)
    yield repr(secret)[1:-1]


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield from _secret_parts(value.get_secret_value())
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _secrets_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _secrets_in(one)


def _secret_parts(text: str) -> Iterator[str]:
    if "://" not in text:
        yield text
        return
    try:
        parts = urlsplit(text)
    except ValueError:
        yield text
        return
    if parts.password:
        yield parts.password
        yield unquote(parts.password)
    if parts.scheme in ("http", "https") and len(parts.path) > 1:
        yield parts.path  # a webhook's path is its secret
