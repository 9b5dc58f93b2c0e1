"""The files that people deploy with: they name what exists, run as nobody, and give a worker time to end."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from reading_source import ROOT

from ticketmail.app.cli.parsing import parse
from ticketmail.app.settings_source import load

UNIT = ROOT / "deploy" / "ticketmail-worker.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py"), UNIT, ROOT / "Dockerfile"]
EVERYWHERE = "".join(path.read_text() for path in PAGES)
#: ``ticketmail ...`` in the comments of the deployed files, and on the pages about them.
_TOLD = (
    COMPOSE + DOCKERFILE + "".join((ROOT / "docs" / "how-to" / f"{name}.md").read_text() for name in ("containers", "systemd"))
)
COMMANDS = sorted(set(re.findall(r"(?:`| exec worker )ticketmail ([a-z][a-z0-9 -]*)[`\n]", _TOLD)))


def _unit() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_waits_for_ready_watches_restarts_and_gives_time_to_drain():
    unit = _unit()
    assert (unit["Type"], unit["Restart"], unit["TimeoutStopSec"]) == ("notify", "always", "11min")
    assert "WatchdogSec" in unit
    assert unit["User"] != "root"
    assert unit["ExecStart"].endswith(" worker")


def test_what_the_unit_runs_is_what_its_steps_install_and_the_command_line_takes():
    steps = UNIT.read_text().partition("[Unit]")[0]
    unit = _unit()
    programme, *words = unit["ExecStart"].split()
    (venv,) = re.findall(r"python3 -m venv (\S+) && ", steps)
    assert programme == f"{venv}/bin/ticketmail"
    assert f"{venv}/bin/pip install" in steps
    args = parse(words)
    assert args.run == "handing:worker"
    assert f"settings in {args.settings} " in steps
    assert f"--system --home-dir {unit['WorkingDirectory']} {unit['User']}" in steps
    assert unit["WorkingDirectory"] == f"/var/lib/{unit['StateDirectory']}"


def test_systemd_hears_the_process_that_speaks_to_it():
    """Of ``--processes N`` that is the one that starts the others: see ``supervising``. A drain is asked of it alone."""
    unit = _unit()
    assert (unit["NotifyAccess"], unit["KillMode"], unit["KillSignal"]) == ("main", "mixed", "SIGTERM")


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
    extras = PROJECT["optional-dependencies"]
    (named,) = re.findall(r"'\.\[([a-z,]+)\]'", DOCKERFILE)
    assert set(named.split(",")) <= set(extras)


def test_the_image_runs_what_it_built_and_asks_the_port_that_it_serves():
    build, _, last = DOCKERFILE.rpartition("\nFROM ")
    (venv,) = re.findall(r"python -m venv (\S+)", build)
    assert f"{venv}/bin/pip install" in build
    assert f"COPY --from=build {venv} {venv}\n" in last
    assert f"ENV PATH={venv}/bin:$PATH" in last
    assert "ticketmail" in PROJECT["scripts"]
    assert parse(["worker"]).run == "handing:worker"  # its ENTRYPOINT and CMD, see above
    (port,) = re.findall(r"TICKETMAIL_WORKER__HTTP=127\.0\.0\.1:(\d+)", last)
    assert f"\nEXPOSE {port}\n" in last
    assert f"http://127.0.0.1:{port}/healthz" in last


@pytest.mark.parametrize("named", sorted(set(re.findall(r"ticketmail\[([a-z0-9,]+)\]", EVERYWHERE))))
def test_every_extra_that_a_page_or_an_error_names_exists(named: str):
    assert set(named.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_image_and_the_unit_bring_what_their_spool_needs():
    """Both are shown with PostgreSQL."""
    (image,) = re.findall(r"'\.\[([a-z,]+)\]'", DOCKERFILE)
    (unit,) = re.findall(r"'ticketmail\[([a-z,]+)\]'", UNIT.read_text())
    assert {"worker", "postgresql", "prometheus"} <= set(image.split(","))
    assert {"worker", "postgresql"} <= set(unit.split(","))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_these_files_is_one(command: str):
    parse(command.split())


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
