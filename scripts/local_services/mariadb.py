"""A disposable MariaDB: durable (each commit is synced), over TCP, with a password."""

from __future__ import annotations

import secrets
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from local_services.service import Service, Started, find, free_port, is_root, run, spawn, wait_for_port, which

_USER = "ticketmail"


def _missing() -> str:
    return find("mariadbd", "mariadb-install-db")


def _start(directory: Path, _: Mapping[str, str]) -> Started:
    data, port, secret = directory / "data", free_port(), secrets.token_urlsafe(18)
    first = directory / "first.sql"
    first.touch(mode=0o600)
    first.write_text(
        f"CREATE USER IF NOT EXISTS '{_USER}'@'%' IDENTIFIED BY '{secret}';\n"
        f"GRANT ALL ON *.* TO '{_USER}'@'%' WITH GRANT OPTION;\nCREATE DATABASE IF NOT EXISTS desk;\n"
    )
    settings = {
        "datadir": data,
        "port": port,
        "bind-address": "127.0.0.1",
        "socket": directory / "socket",
        "pid-file": directory / "pid",
        "init-file": first,
        "skip-name-resolve": 1,
        "innodb-flush-log-at-trx-commit": 1,
        "innodb-buffer-pool-size": "128M",
        "innodb-doublewrite": 1,
        "max-connections": 200,
        "max-allowed-packet": "64M",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (directory / "my.cnf").write_text(f"[mariadbd]\n{lines}")
    if is_root():
        for one in (directory, first):
            shutil.chown(one, "mysql")
    made = [which("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
    run([*made, "--auth-root-authentication-method=normal"], user="mysql", log=directory / "commands", cwd=directory)
    pid = launch(directory)
    wait_for_port(port, "MariaDB")
    return Started({pid: signal.SIGTERM}, {"TICKETMAIL_TEST_MARIADB": f"mariadb://{_USER}:{secret}@127.0.0.1:{port}/desk"})


def launch(directory: Path, *options: str) -> int:
    """Start the server of ``directory``; its process id."""
    user = ["--user=mysql"] if is_root() else []
    return spawn([which("mariadbd"), f"--defaults-file={directory / 'my.cnf'}", *user, *options], directory / "log")


SERVICE = Service("mariadb", ("mariadb-server",), _missing, _start)
