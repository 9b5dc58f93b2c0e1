"""Postfix's smtp-sink: what arrives lies in a directory, a file each."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from local_services.service import Service, Started, find, free_port, is_root, spawn, wait_for_port, which


def _missing() -> str:
    return find("smtp-sink")


def _start(directory: Path, _: Mapping[str, str]) -> Started:
    arrived = directory / "arrived"
    arrived.mkdir()
    command = [which("smtp-sink")]
    if is_root():
        shutil.chown(arrived, "nobody")
        command += ["-u", "nobody"]
    port = free_port()
    command += ["-d", f"{arrived}/%H%M%S.", f"127.0.0.1:{port}", "512"]
    pid = spawn(command, directory / "log")
    wait_for_port(port, "smtp-sink")
    variables = {
        "TICKETMAIL_TEST_SMTP_SINK": f"smtp://127.0.0.1:{port}",
        "TICKETMAIL_TEST_SMTP_SINK_ARRIVED": str(arrived),
    }
    return Started({pid: signal.SIGTERM}, variables)


SERVICE = Service("smtp-sink", ("postfix",), _missing, _start)
