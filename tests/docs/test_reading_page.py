"""The page of reading mail names every defect that is told."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_defect_is_on_the_page() -> None:
    sources = (ROOT / "src/ticketmail/adapters/mime/reading").glob("*.py")
    told = {code for path in sources for code in re.findall(r"(?:tell|Defect)\(\s*\"([a-z-]+)\"", path.read_text())}
    told |= {"no-boundary", "boundary-guessed"}  # one of the two
    page = (ROOT / "docs/reference/reading.md").read_text().partition("## Defects")[2]

    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == told
