"""A Dovecot of its own: IMAP with and without TLS, POP3, LMTP, logins for Postfix; maildirs of a few people, whom the tests empty
as they need.

``nobody@...`` does not exist: what Postfix sends there comes back.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from local_services.service import CannotStart, Service, Started, find, free_port, is_root, run, spawn, wait_for_port, which

#: Addresses at the desk and of customers.
USERS = (
    *("support@desk.test", "sales@desk.test", "queue@desk.test", "pop@desk.test", "chaos@desk.test"),
    *("ann@customer.test", "bob@customer.test"),
)

_CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <{home}/ca.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{home}/mail/%u
mail_plugins =
postmaster_address = postmaster@desk.test
passdb {{
  driver = passwd-file
  args = username_format=%u {home}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {home}/users
  default_fields = uid={mail} gid={mail_group} home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener {{
    port = {auth}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
protocol lmtp {{
  auth_username_format = %Lu
}}
"""


def _missing() -> str:
    absent = find("dovecot", "openssl")
    return absent or next((f"dovecot's {one}" for one in ("imap", "pop3", "lmtp") if not _library(one)), "")


def _library(name: str) -> bool:
    return any(Path(base, name).exists() for base in ("/usr/lib/dovecot", "/usr/libexec/dovecot"))


def _start(home: Path, _: Mapping[str, str]) -> Started:
    ports = {name: free_port() for name in ("imap", "imaps", "pop3", "lmtp", "auth")}
    password = secrets.token_urlsafe(12)
    for directory in ("run", "state", "mail"):
        (home / directory).mkdir()
    (home / "users").write_text("".join(f"{user}:{{PLAIN}}{password}::::::\n" for user in USERS))
    (home / "users").chmod(0o644)
    _make_certificate(home)
    config = home / "dovecot.conf"
    config.write_text(_CONFIG.format(home=home, **ports, **_people(home)).lstrip())
    pid = spawn([which("dovecot"), "-F", "-c", str(config)], home / "commands")
    try:
        for port in ports.values():
            wait_for_port(port, "Dovecot")
    except CannotStart:
        os.kill(pid, signal.SIGTERM)
        raise
    time.sleep(0.1)
    variables = {
        "TICKETMAIL_TEST_DOVECOT": f"imap://127.0.0.1:{ports['imap']}",
        "TICKETMAIL_TEST_DOVECOT_TLS": f"imaps://localhost:{ports['imaps']}",
        "TICKETMAIL_TEST_DOVECOT_POP3": f"pop3://127.0.0.1:{ports['pop3']}",
        "TICKETMAIL_TEST_DOVECOT_LMTP": f"127.0.0.1:{ports['lmtp']}",
        "TICKETMAIL_TEST_DOVECOT_AUTH": f"127.0.0.1:{ports['auth']}",
        "TICKETMAIL_TEST_DOVECOT_PASSWORD": password,
        "TICKETMAIL_TEST_DOVECOT_CA": str(home / "ca.pem"),
    }
    return Started({pid: signal.SIGTERM}, variables)


def _people(home: Path) -> dict[str, str]:
    """As root the package's own users; else everything as whoever starts it."""
    if not is_root():
        me = pwd.getpwuid(os.geteuid()).pw_name
        return {"internal": me, "login": me, "group": str(os.getegid()), "mail": me, "mail_group": str(os.getegid())}
    shutil.chown(home / "mail", "mail", "mail")
    return {"internal": "dovecot", "login": "dovenull", "group": "dovecot", "mail": "mail", "mail_group": "mail"}


def _make_certificate(home: Path) -> None:
    """For localhost, signed by itself."""
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    made = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(home / "key.pem"), "-out", str(home / "ca.pem"))
    run([which("openssl"), "req", "-x509", *made, *subject], log=home / "commands")


SERVICE = Service("dovecot", ("dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "openssl"), _missing, _start)
