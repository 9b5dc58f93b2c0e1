"""The how-to's package: under 100 lines, and its own tests pass as its author would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "ticketmail-acme"


def test_the_gateway_has_fewer_than_100_lines() -> None:
    assert len((EXAMPLE / "src" / "ticketmail_acme" / "__init__.py").read_text().splitlines()) < 100


def test_its_contract_suite_passes() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=EXAMPLE,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout
