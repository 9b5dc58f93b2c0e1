"""Debian packages of servers, installed without their own instances being started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local_services.service import is_root

_POLICY = Path("/usr/sbin/policy-rc.d")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")


def can_install() -> bool:
    """Root on Debian or one of its kin."""
    return is_root() and shutil.which("apt-get") is not None


def install(packages: Sequence[str]) -> bool:
    """Install; False (and apt's last words on standard error) if that fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _nothing_starts():
        _quietly(["apt-get", "update", "-q"], environment)
        return _quietly(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], environment)


def _quietly(command: Sequence[str], environment: dict[str, str]) -> bool:
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        print("\n".join((done.stdout + done.stderr).splitlines()[-5:]), file=sys.stderr)
    return done.returncode == 0


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """A machine's own database or mail server is not ours to bring up: invoke-rc.d obeys policy-rc.d."""
    mine = not _POLICY.exists()
    if mine:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    if not _NO_CLUSTER.exists() and not Path("/etc/postgresql").exists():
        _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        _NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        if mine:
            _POLICY.unlink(missing_ok=True)
