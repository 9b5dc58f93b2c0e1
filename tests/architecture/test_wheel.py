"""What is published: the wheel alone, in an environment of its own, without extras."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from reading_source import PACKAGE, ROOT

#: Distributions that a base install may bring: three that we chose, and what these need.
BASE = {"ticketmail", "pydantic", "injector", "SQLAlchemy"}
BROUGHT = {"pydantic-core", "pydantic_core", "annotated-types", "typing-extensions", "typing_extensions", "typing-inspection"}
BROUGHT |= {"greenlet", "annotated-doc", "pip", "setuptools"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip builds it, from a checkout."""
    directory = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", str(directory), str(ROOT))
    (built,) = directory.glob("ticketmail-*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment in which only the wheel was installed."""
    home = tmp_path_factory.mktemp("bare")
    _run(sys.executable, "-m", "venv", str(home))
    _run(str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel))
    return home / "bin"


def test_the_wheel_holds_every_module_the_type_marker_and_the_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {f"ticketmail/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*.py")}
    assert ours <= names
    assert "ticketmail/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {"ticketmail", wheel.name.rpartition("-py3")[0] + ".dist-info"}


@pytest.mark.timeout(300)
def test_a_base_install_brings_three_packages_and_what_these_need(bare):
    listed = _run(str(bare / "pip"), "list", "--format=freeze", "--disable-pip-version-check")
    names = {line.partition("==")[0] for line in listed.splitlines()}
    assert names >= BASE
    assert names - BASE - BROUGHT == set()


def test_a_base_install_hands_over_and_answers(bare, tmp_path):
    program = """
import ticketmail
mail = ticketmail.TicketMail(settings={"spool": "sqlite:///spool.db", "accounts": {"a": "smtp://127.0.0.1:25"}})
mail.submit(ticketmail.Message(sender="help@example.com", to="ann@example.net", subject="Hi", text="Hello"), ticket="4711")
mail.close()
"""
    _run(str(bare / "python"), "-W", "error", "-c", program, cwd=tmp_path)
    shown = _run(str(bare / "ticketmail"), "--json", "find", "all", cwd=tmp_path, env={"TICKETMAIL_SPOOL": "sqlite:///spool.db"})
    assert "ann@example.net" in shown


def test_help_and_version_need_no_extra(bare):
    assert "worker" in _run(str(bare / "ticketmail"), "--help")
    assert _run(str(bare / "ticketmail"), "--version").startswith("ticketmail ")


def test_a_missing_extra_is_named(bare, tmp_path):
    """The worker needs ``[worker]``: a bare install says so, in a line, not a traceback."""
    settings = tmp_path / "ticketmail.toml"
    settings.write_text('spool = "sqlite:///spool.db"\naccounts = {a = "smtp://127.0.0.1:9"}\n')
    done = subprocess.run(
        [str(bare / "ticketmail"), "worker"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "ticketmail[worker]" in done.stderr
    assert "Traceback" not in done.stderr


def test_import_is_quick_and_brings_no_sqlalchemy():
    """The best of several, so that a busy machine does not decide: under 150 ms, for hosts import us at their start."""
    program = "import time; t = time.perf_counter(); import ticketmail; print(time.perf_counter() - t)"
    program += "; import sys; assert 'sqlalchemy' not in sys.modules, 'SQLAlchemy'"
    program += "; assert 'pydantic' not in sys.modules, 'pydantic'"
    assert min(float(_run(sys.executable, "-c", program)) for _ in range(5)) < 0.150


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
