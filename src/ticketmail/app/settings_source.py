"""Where settings come from: code > environment (``TICKETMAIL_*``) > file > default, with the source of each value kept."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from ticketmail.app.settings import AccountSettings, MailboxSettings, Settings
from ticketmail.app.settings_checks import check_together
from ticketmail.app.settings_values import masked
from ticketmail.domain.address import Address
from ticketmail.domain.errors import SettingsError

ENV_PREFIX = "TICKETMAIL_"
DEFAULT_FILE = "ticketmail.toml"
#: Names in our environment that are not settings: the file itself, the app object, who acts, and what tests and logs use.
_NOT_SETTINGS = re.compile(r"^TICKETMAIL_(SETTINGS|APP|ACTOR|NO_COLOR|LOG_.*|TEST_.*|BENCH_.*|DEMO_.*|PROBE_.*)$")
_ENV_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: Settings of which a bare text means the table's ``url``.
_URL_TABLES = ("spool", "broker", "outbox", "webhook", "accounts.*", "gateways.*", "mailboxes.*")
#: Pure secrets, for which ``file:/path`` means the file's content. URLs are not among them: ``file:///dir`` is a gateway.
_FILE_SECRETS = (
    "secret",
    "broker.secret",
    "webhook.secret",
    "accounts.*.password",
    "accounts.*.token.client_secret",
    "accounts.*.token.refresh_token",
    "mailboxes.*.password",
    "mailboxes.*.token.client_secret",
    "mailboxes.*.token.refresh_token",
    "alerts.webhook_secret",
)


@dataclass(frozen=True)
class LoadedSettings:
    """Checked settings, and where each came from (dotted name -> source)."""

    settings: Settings
    sources: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None

    def explain(self) -> list[tuple[str, str, str]]:
        """``(dotted name, value as people may see it, source)`` of every setting, by name. Secrets are masked."""
        return [(name, shown, self._source(name)) for name, shown in sorted(_leaves(self.settings))]

    def _source(self, name: str) -> str:
        while name:
            if name in self.sources:
                return self.sources[name]
            name = name.rpartition(".")[0]
        return "default"


def load(
    given: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None,
    *,
    code: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    dynamic: bool = False,
) -> LoadedSettings:
    """Read and check settings.

    ``given`` is a path to a TOML file, or settings as a mapping (then no file is read), or ready ``Settings`` (then no
    environment either). ``code`` are names set in code: they win, and over the environment a mapping does too. ``environ`` is
    ``os.environ`` by default. Without ``given`` the file is ``$TICKETMAIL_SETTINGS``, else ``ticketmail.toml`` in ``directory``
    (the current one) if it is there. ``dynamic``: further accounts come later, see :mod:`ticketmail.app.settings_live`.

    Raises:
        SettingsError: names the setting, the cause and the next step; never a value.
    """
    environ = os.environ if environ is None else environ
    merged, path = _Merge(), None
    if given is None or isinstance(given, (str, os.PathLike)):
        path = _file(given, environ, directory)
        if path is not None:
            merged.add(_read(path, environ), str(path))
    if not isinstance(given, Settings):
        known = {**merged.values, **given} if isinstance(given, Mapping) else merged.values
        merged.add(_from_environment(environ, known), "environment")
    if isinstance(given, Settings):
        merged.add(_set_values(given), "code")
    elif isinstance(given, Mapping):
        merged.add(given, "code")
    merged.add(code or {}, "code")
    return LoadedSettings(parse(merged.values, dynamic=dynamic), merged.sources, path)


def parse(values: Mapping[str, Any], *, dynamic: bool = False) -> Settings:
    """Check ``values`` as a whole. Raises SettingsError with the dotted name of each culprit."""
    _refuse_unknown(values, Settings, "")
    try:
        settings = Settings.model_validate(_with_secrets(values))
    except ValidationError as error:
        raise _translated(error) from None
    check_together(settings, dynamic=dynamic)
    return settings


def parse_account(name: str, given: object, settings: Settings) -> AccountSettings:
    """One account beside those of ``settings``, checked as if it stood there. Raises SettingsError."""
    table = _as_table(f"accounts.{name}", given)
    if not isinstance(table, Mapping):
        raise SettingsError("Neither a URL nor a table.", name=f"accounts.{name}", remedy="Give what [accounts.X] would hold.")
    gateways = {key: _set_values(one) for key, one in settings.gateways.items()}
    return parse({"accounts": {name: table}, "gateways": gateways}).accounts[name]


def parse_mailbox(name: str, given: object, settings: Settings) -> MailboxSettings:
    """One mailbox beside those of ``settings``, as :func:`parse_account` does."""
    table = _as_table(f"mailboxes.{name}", given)
    if not isinstance(table, Mapping):
        raise SettingsError("Neither a URL nor a table.", name=f"mailboxes.{name}", remedy="Give what [mailboxes.M] would hold.")
    return parse({"mailboxes": {name: table}}).mailboxes[name]


def public_of(model: BaseModel) -> dict[str, str]:
    """Dotted name -> value as people may see it; secrets are masked."""
    return dict(_leaves(model))


class _Merge:
    """Layers, each over the one before, with the source of every leaf."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def add(self, layer: Mapping[str, Any], source: str) -> None:
        self._add(self.values, layer, source, "")

    def _add(self, target: dict[str, Any], layer: Mapping[str, Any], source: str, at: str) -> None:
        for key, value in layer.items():
            name = f"{at}.{key}" if at else str(key)
            table = _as_table(name, value)
            if isinstance(table, Mapping):
                below = target.get(key)
                target[key] = below if isinstance(below, dict) else {}
                self._add(target[key], table, source, name)
            else:
                target[key] = table
                self.sources[name] = source


def _as_table(name: str, value: Any) -> Any:
    if isinstance(value, BaseModel) and not isinstance(value, Address):
        value = _set_values(value)
    if isinstance(value, (str, SecretStr)) and any(_matches(pattern, name) for pattern in _URL_TABLES):
        return {"url": value}
    return value


def _set_values(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set}


def _matches(pattern: str, name: str) -> bool:
    expected, actual = pattern.split("."), name.split(".")
    return len(expected) == len(actual) and all(one in ("*", other) for one, other in zip(expected, actual, strict=True))


# --- the file ---------------------------------------------------------------------------------------------------------------


def _file(given: str | os.PathLike[str] | None, environ: Mapping[str, str], directory: Path | None) -> Path | None:
    named = given if given is not None else environ.get("TICKETMAIL_SETTINGS") or None
    if named is not None:
        return Path(named).absolute()
    usual = ((directory or Path.cwd()) / DEFAULT_FILE).absolute()
    return usual if usual.is_file() else None


def _read(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"Cannot read {path}: {error.strerror}.", name="settings", remedy="Name a file that is there."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.", name="settings") from None
    return {key: _expanded(value, key, environ) for key, value in values.items()}


def _expanded(value: Any, name: str, environ: Mapping[str, str]) -> Any:
    """``value`` with every ``${NAME}`` replaced by the environment's."""
    if isinstance(value, dict):
        return {key: _expanded(one, f"{name}.{key}", environ) for key, one in value.items()}
    if isinstance(value, list):
        return [_expanded(one, name, environ) for one in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise SettingsError(f"${{{match[1]}}} is not set in the environment.", name=name, remedy=f"Set {match[1]}.")
        return environ[match[1]]

    return _ENV_REFERENCE.sub(replace, value)


def _with_secrets(values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """``values`` with ``file:/path`` of pure secrets replaced by the file's content, without its last line break."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{at}.{key}" if at else str(key)
        if isinstance(value, Mapping):
            result[key] = _with_secrets(value, name)
        elif any(_matches(pattern, name) for pattern in _FILE_SECRETS):
            result[key] = [_secret(one, name) for one in value] if isinstance(value, (list, tuple)) else _secret(value, name)
        else:
            result[key] = value
    return result


def _secret(value: Any, name: str) -> Any:
    if not isinstance(value, str) or not value.startswith("file:"):
        return value
    path = Path(value.removeprefix("file:").replace("//", "/", 1))
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"Cannot read {path}: {why}.", name=name, remedy="Check path and rights.") from None


# --- the environment --------------------------------------------------------------------------------------------------------


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or _NOT_SETTINGS.match(variable):
            continue
        path = variable.removeprefix(ENV_PREFIX).lower().split("__")
        _place(values, path, _env_value(variable, environ[variable]), known, variable)
    return values


def _place(values: dict[str, Any], path: list[str], value: Any, known: Mapping[str, Any], variable: str) -> None:
    if path[0] not in Settings.model_fields:
        raise _unknown(path[0], list(Settings.model_fields), path[0], f" (from the environment: {variable})")
    target, below = values, known
    for index, part in enumerate(path):
        key = _spelled(part, below)
        if index == len(path) - 1:
            target[key] = value
            return
        table = _as_table(".".join(path[: index + 1]), target.get(key, {}))
        target[key] = table
        target = table
        inner = below.get(key, {})
        below = inner if isinstance(inner, Mapping) else {}


def _spelled(part: str, known: Mapping[str, Any]) -> str:
    """The key that ``part`` means: variables have no case and no hyphens, names in the file may."""
    return next((key for key in known if key.lower().replace("-", "_") == part), part)


def _env_value(variable: str, text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise SettingsError(f"{variable} begins like JSON, but is not.", name=variable.removeprefix(ENV_PREFIX).lower()) from None


# --- refusing ---------------------------------------------------------------------------------------------------------------


def _refuse_unknown(values: Mapping[str, Any], model: type[BaseModel], at: str) -> None:
    for key, value in values.items():
        name = f"{at}.{key}" if at else str(key)
        if key not in model.model_fields:
            raise _unknown(str(key), list(model.model_fields), name)
        if isinstance(value, Mapping):
            _refuse_below(value, model.model_fields[key].annotation, name)


def _refuse_below(values: Mapping[str, Any], annotation: Any, name: str) -> None:
    arguments = getattr(annotation, "__args__", ())
    inner = (
        annotation if isinstance(annotation, type) and not arguments else next((one for one in arguments if _is_table(one)), None)
    )
    if inner is None or not _is_table(inner):
        return
    if getattr(annotation, "__origin__", None) is not dict:
        _refuse_unknown(values, inner, name)
        return
    for key, value in values.items():
        if isinstance(value, Mapping):
            _refuse_unknown(value, inner, f"{name}.{key}")


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not Address


def _unknown(key: str, known: list[str], name: str, where: str = "") -> SettingsError:
    near = difflib.get_close_matches(key.lower(), known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(sorted(known))}."
    return SettingsError(f"There is no setting of this name{where}.", name=name, remedy=hint)


def _translated(error: ValidationError) -> SettingsError:
    """pydantic's refusal with our dotted names; its messages hold no input (``include_input=False``)."""
    problems = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"] if part != "[key]")
        problems.append((name, one["msg"].removeprefix("Value error, ")))
    first, *more = problems
    others = "".join(f" Also {name}: {message}." for name, message in more)
    return SettingsError(f"{first[1].rstrip('.')}.{others}", name=first[0])


# --- showing ----------------------------------------------------------------------------------------------------------------


def _leaves(model: BaseModel, at: str = "") -> Iterator[tuple[str, str]]:
    for key in type(model).model_fields:
        yield from _leaf(f"{at}.{key}" if at else key, getattr(model, key))


def _leaf(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel) and not isinstance(value, Address):
        yield from _leaves(value, name)
    elif isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaf(f"{name}.{key}", one)
    else:
        yield name, shown(value)


def shown(value: Any) -> str:
    """``value`` as people may see it: secrets are ``***``, URLs lose their password."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return masked(text) if "://" in text else "***" * bool(text)
    if isinstance(value, (tuple, list)):
        return ", ".join(shown(one) for one in value)
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
