"""A disposable RabbitMQ node: loopback only, on ports and a port mapper (epmd) of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from local_services.service import CannotStart, Service, Started, free_port, spawn, wait_for_port

#: Debian's own command wants to be a certain user; these are what it wraps.
_BIN = Path("/usr/lib/rabbitmq/bin")
_WAIT_S = 60.0


def _missing() -> str:
    return "" if (_BIN / "rabbitmq-server").exists() and shutil.which("epmd") else "rabbitmq-server, epmd"


def _start(directory: Path, _: Mapping[str, str]) -> Started:
    port, dist, epmd_port = free_port(), free_port(), free_port()
    (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = false\n")
    (directory / "enabled_plugins").write_text("[].\n")
    (directory / "environment").write_text("")
    (directory / ".erlang.cookie").write_text(secrets.token_hex(16))
    (directory / ".erlang.cookie").chmod(0o400)
    started = launch(directory, _environment(directory, port, dist, epmd_port))
    wait_for_port(port, "RabbitMQ", _WAIT_S)
    (directory / "port").write_text(f"{port} {dist} {epmd_port}")
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    return Started(started, {"TICKETMAIL_TEST_RABBITMQ": url, "TICKETMAIL_TEST_RABBITMQ_DIRECTORY": str(directory)})


def launch(directory: Path, environment: dict[str, str]) -> dict[int, int]:
    """Start the port mapper and the node; their process ids, with the signal that ends each."""
    epmd = shutil.which("epmd")
    if epmd is None:
        raise CannotStart("epmd is not installed")
    previous = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        mapper = spawn([epmd], directory / "epmd.log")
        wait_for_port(int(environment["ERL_EPMD_PORT"]), "epmd")
        node = spawn([str(_BIN / "rabbitmq-server")], directory / "log")
    finally:
        os.environ.clear()
        os.environ.update(previous)
    return {node: signal.SIGTERM, mapper: signal.SIGTERM}


def control(directory: Path, *words: str) -> str:
    """``rabbitmqctl`` for the node that was started in ``directory``; what it says."""
    port, dist, epmd_port = (int(one) for one in (directory / "port").read_text().split())
    environment = _environment(directory, port, dist, epmd_port)
    command = [str(_BIN / "rabbitmqctl"), *words]
    until = time.monotonic() + _WAIT_S
    while True:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0:
            return done.stdout
        if time.monotonic() > until:
            raise CannotStart(f"rabbitmqctl {' '.join(words)} failed: {done.stderr[-300:]}")
        time.sleep(0.5)


def _environment(directory: Path, port: int, dist: int, epmd_port: int) -> dict[str, str]:
    own = {
        "HOME": directory,
        "RABBITMQ_NODENAME": f"ticketmail{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_DIST_PORT": dist,
        "RABBITMQ_CONF_ENV_FILE": directory / "environment",
        "RABBITMQ_CONFIG_FILE": directory / "rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": directory / "enabled_plugins",
        "RABBITMQ_MNESIA_BASE": directory / "data",
        "RABBITMQ_LOG_BASE": directory / "logs",
        "RABBITMQ_PID_FILE": directory / "pid",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": epmd_port,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, **{name: str(value) for name, value in own.items()}}


SERVICE = Service("rabbitmq", ("rabbitmq-server",), _missing, _start)
