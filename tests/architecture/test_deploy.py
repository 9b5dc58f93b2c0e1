"""The files that people deploy with: they name what exists, run as nobody, and give a worker time to end."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from reading_source import ROOT

from ticketmail.app.settings_source import load

UNIT = ROOT / "deploy" / "ticketmail-worker.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()


def _unit() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_waits_for_ready_watches_restarts_and_gives_time_to_drain():
    unit = _unit()
    assert (unit["Type"], unit["Restart"], unit["TimeoutStopSec"]) == ("notify", "always", "11min")
    assert "WatchdogSec" in unit
    assert unit["User"] != "root"
    assert unit["ExecStart"].endswith(" worker")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path):
    copy = tmp_path / UNIT.name
    # The programme is not on this machine; all else is checked.
    copy.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_the_image_runs_the_worker_as_nobody_with_a_health_check():
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root|0)\S+", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*", last, re.MULTILINE)
    assert last.rstrip().endswith('ENTRYPOINT ["ticketmail"]\nCMD ["worker"]')


def test_the_image_installs_extras_that_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (named,) = re.findall(r"'\.\[([a-z,]+)\]'", DOCKERFILE)
    assert set(named.split(",")) <= set(extras)


def test_the_image_copies_only_what_the_wheel_needs():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert ignored[0] == "*"
    assert {word for words in copied for word in words.split()} == {line[1:] for line in ignored if line.startswith("!")}


def test_every_variable_of_image_and_compose_is_a_setting():
    """A misspelt TICKETMAIL_ variable would stop the worker; better here than there."""
    names = set(re.findall(r"^\s+(TICKETMAIL_[A-Z_]+)[=:]", DOCKERFILE + COMPOSE, re.MULTILINE))
    values = {"TICKETMAIL_SPOOL": "sqlite:///x.db", "TICKETMAIL_SITE": "desk", "TICKETMAIL_WORKER__HTTP": "127.0.0.1:8025"}
    values["TICKETMAIL_ACCOUNTS__SUPPORT__URL"] = "smtp://user@smtp.example.com:587"
    assert names == set(values)
    settings = load({}, environ=values).settings
    assert settings.accounts["support"].url.get_secret_value().startswith("smtp://")


def test_compose_starts_the_worker_when_the_database_is_well_and_lets_it_drain():
    worker = COMPOSE.partition("\n  worker:")[2]
    assert "condition: service_healthy" in worker
    assert "stop_grace_period: 11m" in worker
    assert "healthcheck:" in COMPOSE.partition("\n  worker:")[0]
    assert "\t" not in COMPOSE
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in COMPOSE.splitlines())
