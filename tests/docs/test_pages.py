"""The documentation: its Python runs, its TOML is valid, its links lead somewhere, its reference is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

from ticketmail.app.settings_source import load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def blocks(page: Path, kind: str) -> list[str]:
    return [text for name, text in BLOCK.findall(page.read_text()) if name == kind]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # frameworks warn of one another; a page is not where to fix that
        for text in blocks(page, "python"):
            exec(compile(text, named(page), "exec"), names)
    for found in ("mail", "desk"):
        closing = getattr(names.get(found), "close", None)
        if closing is not None:
            closing()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=named)
def test_the_toml_of_a_page_is_settings(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DESK_DB_PASSWORD", "SUPPORT_PASSWORD", "RESCUE_PASSWORD", "CLIENT_SECRET", "REFRESH_TOKEN"):
        monkeypatch.setenv(name, "secret")
    for text in blocks(page, "toml"):
        table = tomllib.loads(text)
        if "project" not in table:
            assert load(table, environ={}) is not None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [one for one in targets if "://" not in one and not (page.parent / one).exists()] == []


def test_the_reference_is_written_from_the_code_as_it_is() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs_reference.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert result.stdout + result.stderr == ""
