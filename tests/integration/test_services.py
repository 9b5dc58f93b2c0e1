"""``scripts/services``: what it started it stops, what it found it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "services"


def _services(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.timeout(120)
def test_a_run_within_a_run_leaves_the_outer_ones_servers_alone() -> None:
    before = _services("status").stdout
    if "does not run" in before:
        pytest.skip("not all servers run: `scripts/services run -- pytest ...`")
    inner = _services("run", "--", sys.executable, "-c", "import os; print(os.environ['TICKETMAIL_TEST_SMTP_SINK'])")
    assert inner.stdout.strip() == os.environ["TICKETMAIL_TEST_SMTP_SINK"]
    assert _services("status").stdout == before


def test_the_exit_code_of_a_run_is_its_commands() -> None:
    if "does not run" in _services("status").stdout:
        pytest.skip("not all servers run: `scripts/services run -- pytest ...`")
    assert _services("run", "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_an_unknown_service_is_refused_with_the_list() -> None:
    refused = _services("start", "postgrsql")
    assert refused.returncode == 2
    assert "postgresql" in refused.stderr
