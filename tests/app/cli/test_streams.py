"""Standard streams as scripts leave them: shut, full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f"{sys.executable} -m ticketmail status"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "ticketmail.toml").write_text('spool = "sqlite:///spool.db"\n[accounts.support]\nurl = "smtp://localhost"\n')
    return tmp_path


@pytest.mark.parametrize("how", [">&-", "<&- >&- 2>&-"])
def test_shut_streams_are_no_fault_of_ours(here: Path, how: str) -> None:
    done = subprocess.run(["sh", "-c", f"{COMMAND} {how}"], cwd=here, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "")  # no worker is alive
