"""A private Postfix on free loopback ports, with a greylisting policy service. Needs root and the Debian package."""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POSTFIX = shutil.which("postfix") or shutil.which("/usr/sbin/postfix")

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = postfix.example.com
mydestination =
mynetworks = 127.0.0.0/8
relay_domains = example.net
default_transport = discard
relay_transport = discard
smtpd_tls_chain_files = {folder}/etc/server.pem
smtpd_tls_security_level = may
smtpd_recipient_restrictions =
 check_recipient_access inline:{{{{gone@example.net = 550 5.1.1 No such user}}}}, permit_mynetworks, reject
smtpd_client_event_limit_exceptions =
message_size_limit = 200000
maillog_file = {folder}/log
maillog_file_prefixes = /
"""

_MASTER = """
{plain} inet n - n - - smtpd
{rated} inet n - n - - smtpd -o smtpd_client_message_rate_limit=3
{grey} inet n - n - - smtpd -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:{policy},permit_mynetworks,reject
{strict} inet n - n - - smtpd -o smtpd_hard_error_limit=2 -o smtpd_soft_error_limit=1 -o smtpd_error_sleep_time=0
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """Ports by what their smtpd does: ``plain``; ``rated`` takes 3 mails a minute; ``grey`` defers each recipient once;
    ``strict`` hangs up after two errors."""

    plain: int
    rated: int
    grey: int
    strict: int


class _Greylist(socketserver.StreamRequestHandler):
    """Postfix's policy protocol: name=value lines, an empty line, and action=… back."""

    def handle(self) -> None:
        attributes: dict[str, str] = {}
        for raw in self.rfile:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition("=")
                attributes[name] = value
                continue
            seen = self.server.seen  # type: ignore[attr-defined]
            known = attributes.get("recipient", "") in seen
            seen.add(attributes.get("recipient", ""))
            self.wfile.write(b"action=dunno\n\n" if known else b"action=defer_if_permit Greylisted for 300 seconds\n\n")
            attributes = {}


@contextmanager
def running_postfix(certificate_pem: bytes) -> Iterator[Postfix]:
    """Start one, wait until it listens, stop it at the end."""
    assert POSTFIX is not None
    ports = _free_ports(4)
    with tempfile.TemporaryDirectory(prefix="ticketmail-postfix-") as name, _greylist() as policy:
        folder = Path(name)
        folder.chmod(0o755)
        _write(folder, certificate_pem, dict(zip(("plain", "rated", "grey", "strict"), ports, strict=True)), policy)
        subprocess.run([POSTFIX, "-c", str(folder / "etc"), "start"], check=True, capture_output=True)
        try:
            for port in ports:
                _wait_for(port)
            yield Postfix(*ports)
        finally:
            subprocess.run([POSTFIX, "-c", str(folder / "etc"), "stop"], check=False, capture_output=True)


def _write(folder: Path, certificate_pem: bytes, ports: dict[str, int], policy: int) -> None:
    for part in ("etc", "spool", "data"):
        (folder / part).mkdir()
    shutil.chown(folder / "data", "postfix")
    for file in ("postfix-script", "post-install", "postfix-files", "dynamicmaps.cf"):
        shutil.copy(Path("/etc/postfix") / file, folder / "etc" / file)
    (folder / "etc" / "server.pem").write_bytes(certificate_pem)
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder))
    services = _MASTER.format(policy=policy, **{key: f"127.0.0.1:{port}" for key, port in ports.items()})
    (folder / "etc" / "master.cf").write_text(services)


@contextmanager
def _greylist() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Greylist) as server:
        server.daemon_threads = True
        server.seen = set()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"Postfix does not listen on {port}")


def can_run() -> str:
    """Why it cannot run here, or ''."""
    if POSTFIX is None:
        return "Postfix is not installed"
    return "" if os.geteuid() == 0 else "Postfix can only be started by root"
