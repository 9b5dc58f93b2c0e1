"""The documentation: its links lead somewhere, every page is reachable, its reference is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [one for one in targets if "://" not in one and not (page.parent / one).exists()] == []


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = [(page.parent / one).resolve() for one in re.findall(r"\]\(([^)#]+\.md)", page.read_text()) if "://" not in one]
        waiting += [one for one in targets if one not in reached]

    assert [named(page) for page in PAGES if page not in reached] == []


def test_the_reference_is_written_from_the_code_as_it_is() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs_reference.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert result.stdout + result.stderr == ""


def test_each_test_that_a_promise_names_exists() -> None:
    named_tests = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs" / "explanation" / "promises.md").read_text())

    assert named_tests
    assert [(path, name) for path, name in named_tests if not _defines(ROOT / path, name)] == []


def _defines(path: Path, name: str) -> bool:
    return (
        path.exists() and re.search(rf"^\s*((async )?def {name}\(|class {name}\b|{name} = )", path.read_text(), re.M) is not None
    )
