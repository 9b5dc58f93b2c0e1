"""What ``import ticketmail`` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ticketmail
from ticketmail.domain import errors, events

HEAVY = ("sqlalchemy", "aiosmtplib", "pydantic", "injector", "rich", "structlog", "asyncio")


def test_all_is_sorted_and_everything_in_it_is_there() -> None:
    assert ticketmail.__all__ == sorted(ticketmail.__all__, key=lambda name: (name.startswith("__") or name[0].islower(), name))
    assert [name for name in ticketmail.__all__ if getattr(ticketmail, name, None) is None] == []


def test_what_is_visible_is_what_all_lists() -> None:
    for name in ticketmail.__all__:
        getattr(ticketmail, name)

    visible = {name for name in vars(ticketmail) if not name.startswith("_")}
    modules = {"adapters", "app", "domain", "testing"}
    assert visible - modules - {"annotations", "import_module", "TYPE_CHECKING"} == set(ticketmail.__all__) - {"__version__"}
    assert dir(ticketmail) == sorted(ticketmail.__all__)


@pytest.mark.parametrize("module", [errors, events])
def test_every_error_and_event_is_public(module: object) -> None:
    names = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and name[0] != "_"
    }

    assert names <= set(ticketmail.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Ticketmail"):
        ticketmail.Ticketmail  # noqa: B018


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_ticketmail_imports_no_other_package() -> None:
    assert python(f"import sys, ticketmail; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_importing_ticketmail_takes_less_than_150_ms() -> None:
    code = "import time; start = time.perf_counter(); import ticketmail; print(time.perf_counter() - start)"

    assert min(float(python(code)) for _ in range(3)) < 0.150


def test_a_host_that_makes_its_object_has_loaded_neither_sqlalchemy_nor_smtp() -> None:
    code = (
        "import sys; from ticketmail import Message, TicketMail;"
        "TicketMail(spool='sqlite:///never-opened.db', accounts={'a': 'smtp://me:pw@localhost:2525'}, settings={});"
        "print([name for name in ('sqlalchemy', 'aiosmtplib', 'rich', 'structlog') if name in sys.modules])"
    )

    assert python(code) == "[]"
