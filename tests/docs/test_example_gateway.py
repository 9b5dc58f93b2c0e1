"""The how-to's package: under 100 lines, and its own tests pass as its author would run them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "ticketmail-acme"


def test_the_package_has_fewer_than_100_lines_of_code() -> None:
    assert sum(len(path.read_text().splitlines()) for path in (EXAMPLE / "src").rglob("*.py")) < 100


def test_its_entry_point_makes_the_scheme_known(tmp_path: Path) -> None:
    """As an installer would write it, from its pyproject."""
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]["ticketmail.gateways"]
    metadata = tmp_path / "ticketmail_acme-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ticketmail-acme\nVersion: 0.1.0\n")
    lines = [f"{name} = {target}" for name, target in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[ticketmail.gateways]", *lines]))
    code = (
        "from ticketmail.app.plugins import open_gateway; from ticketmail.domain.ports.sending import GatewayOptions\n"
        "print(open_gateway('acme://KEY@api.acme.example', GatewayOptions(), name='url').capabilities.idempotency_key)"
    )
    paths = os.pathsep.join([str(EXAMPLE / "src"), str(tmp_path)])

    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )

    assert result.stdout == "True\n", result.stderr


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
    assert " failed" not in result.stdout
