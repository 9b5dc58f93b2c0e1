"""Adapters by entry point: nothing imported before it is named, and errors that name the next step."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from ticketmail.app import plugins
from ticketmail.domain.errors import ContractBroken, MissingExtra, UnknownScheme
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.domain.ports.spooling import SpoolOptions


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, EntryPoint]:
    points: dict[str, EntryPoint] = {}
    monkeypatch.setattr(plugins, "_points", lambda group: points)
    return points


def add(points: dict[str, EntryPoint], scheme: str, value: str) -> None:
    points[scheme] = EntryPoint(scheme, value, plugins.GATEWAYS)


def test_our_own_adapters_register_like_anyones() -> None:
    assert {"smtp", "smtps", "null", "file"} <= set(plugins.schemes(plugins.GATEWAYS))
    assert {"sqlite", "postgresql", "memory"} <= set(plugins.schemes(plugins.SPOOLS))


@pytest.mark.parametrize(
    ("url", "hint"), [("sqllite:///x", "sqlite://"), ("postgres://h/d", "postgresql://"), ("xyzzy://", "memory://")]
)
def test_an_unknown_scheme_names_the_nearest_and_what_is_known(url: str, hint: str) -> None:
    with pytest.raises(UnknownScheme) as caught:
        plugins.open_spool(url, SpoolOptions())

    assert str(caught.value).startswith("spool.url: No adapter for ")
    assert hint in str(caught.value)


def test_an_unknown_scheme_does_not_show_the_url() -> None:
    with pytest.raises(UnknownScheme) as caught:
        plugins.open_gateway("smpt://me:c4n4ry@host", GatewayOptions(), name="accounts.a.url")

    assert "c4n4ry" not in str(caught.value)
    assert "smtp://" in str(caught.value)


def test_a_missing_package_names_the_extra(registered: dict[str, EntryPoint], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)
    add(registered, "smtp", "aiosmtplib:SMTP")

    with pytest.raises(MissingExtra, match=r"pip install 'ticketmail\[worker\]'") as caught:
        plugins.open_gateway("smtp://host", GatewayOptions(), name="accounts.a.url")

    assert isinstance(caught.value, ImportError)


def test_a_third_partys_missing_package_is_named_itself(registered: dict[str, EntryPoint]) -> None:
    add(registered, "acme", "no_such_package.gateway:create")

    with pytest.raises(MissingExtra, match="pip install no_such_package"):
        plugins.open_gateway("acme://host", GatewayOptions(), name="accounts.a.url")


@pytest.mark.parametrize(
    "value", ["ticketmail._version:create", "ticketmail._version:__version__", "ticketmail.no_such_module:create"]
)
def test_an_entry_point_that_names_nothing_callable_is_a_broken_contract(registered: dict[str, EntryPoint], value: str) -> None:
    add(registered, "acme", value)

    with pytest.raises(ContractBroken, match="acme"):
        plugins.open_gateway("acme://host", GatewayOptions(), name="accounts.a.url")


def test_looking_for_adapters_imports_none() -> None:
    code = (
        "import sys; from ticketmail.app import plugins;"
        "plugins.schemes('ticketmail.gateways'); plugins.schemes('ticketmail.spools');"
        "print([name for name in sys.modules if name.startswith(('ticketmail.adapters.', 'sqlalchemy', 'aiosmtplib'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_every_extra_that_is_named_exists() -> None:
    extras = set(importlib.metadata.metadata("ticketmail").get_all("Provides-Extra") or ())

    assert set(plugins.EXTRA_OF.values()) <= extras
