"""A Postfix of its own, with TLS on every port: one with a message rate limit, one with greylisting, one that hangs up after two
errors, one with none of these; where Dovecot runs, one for its people after a login, each with its own address and at most four
connections. ``gone@example.net`` is nobody. What it takes goes on to smtp-sink."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from local_services import greylist
from local_services.dovecot import USERS
from local_services.service import CannotStart, Service, Started, find, free_port, is_root, run, spawn, wait_for_port, which

RATE_WINDOW_S = 2
MESSAGES_PER_WINDOW = 20
GREYLIST_WAIT_S = 3
SIZE_LIMIT_BYTES = 200_000  #: of the plain port
SUBMISSION_CONNECTIONS = 4

# Exempt nobody: Postfix spares mynetworks by default, and here everybody is on loopback.
_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = {home}
maillog_file = {home}/log
syslog_name = ticketmail-test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.ticketmail.test
mydestination =
local_recipient_maps =
local_transport = error:no local mail here
relayhost = [127.0.0.1]:{sink}
transport_maps = inline:{{ {mailboxes} }}
smtp_host_lookup = native
smtp_dns_support_level = disabled
smtp_tls_security_level = none
mynetworks = 127.0.0.0/8
smtpd_tls_chain_files = {home}/server.pem
smtpd_tls_security_level = may
smtpd_recipient_restrictions =
 check_recipient_access inline:{{{{gone@example.net = 550 5.1.1 No such user}}}}, permit_mynetworks, reject
smtpd_relay_restrictions = permit_mynetworks, reject
anvil_rate_time_unit = {window}s
smtpd_client_event_limit_exceptions =
smtpd_client_connection_count_limit = 20
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtpd_soft_error_limit = 1000
ticketmail_logins = inline:{{ {logins} }}
maximal_queue_lifetime = 1h
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
"""

_MASTER = """
127.0.0.1:{limited} inet n - n - 50 smtpd
  -o smtpd_client_message_rate_limit={messages}
127.0.0.1:{grey} inet n - n - 50 smtpd
  -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:{policy},permit_mynetworks,reject
127.0.0.1:{plain} inet n - n - 50 smtpd
  -o message_size_limit={size}
127.0.0.1:{strict} inet n - n - 50 smtpd
  -o smtpd_hard_error_limit=2
  -o smtpd_soft_error_limit=1
{submission}pickup unix n - n 60 1 pickup
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
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_SUBMISSION = """127.0.0.1:{port} inet n - n - 50 smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=inet:{auth}
  -o smtpd_tls_auth_only=yes
  -o smtpd_sender_login_maps=$ticketmail_logins
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_client_connection_count_limit={connections}
  -o recipient_delimiter=+
"""


def _missing() -> str:
    absent = find("postfix", "postconf", "openssl")
    return absent or ("" if is_root() else "root (Postfix's master needs it)")


def _start(home: Path, running: Mapping[str, str]) -> Started:
    sink = urlsplit(running.get("TICKETMAIL_TEST_SMTP_SINK", "")).port
    if sink is None:
        raise CannotStart("smtp-sink does not run, and Postfix would deliver to it")
    limited, grey, plain, strict, policy, submission = (free_port() for _ in range(6))
    config = home / "config"
    for directory in (config, home / "queue", home / "data"):
        directory.mkdir()
    shutil.chown(home / "data", "postfix")
    values = {"home": home, "sink": sink, "window": RATE_WINDOW_S, "messages": MESSAGES_PER_WINDOW}
    values |= {"limited": limited, "grey": grey, "policy": policy, "plain": plain, "strict": strict, "size": SIZE_LIMIT_BYTES}
    # What goes to the desk and its customers goes to Dovecot's mailboxes, where it runs.
    lmtp = running.get("TICKETMAIL_TEST_DOVECOT_LMTP", "")
    domains = ("desk.test", "customer.test") if lmtp else ()
    host, _, port = lmtp.partition(":")
    values["mailboxes"] = ", ".join(f"{{{domain} = lmtp:inet:[{host}]:{port}}}" for domain in domains) or "{ none.test = smtp: }"
    auth = running.get("TICKETMAIL_TEST_DOVECOT_AUTH", "")
    values["logins"] = ", ".join(f"{{ {user} = {user} }}" for user in USERS)
    values["submission"] = _SUBMISSION.format(port=submission, auth=auth, connections=SUBMISSION_CONNECTIONS) if auth else ""
    _make_certificate(home)
    (config / "main.cf").write_text(_MAIN.format(**values).lstrip())
    (config / "master.cf").write_text(_MASTER.format(**values).lstrip())
    policy_pid = spawn([sys.executable, greylist.__file__, str(policy), str(GREYLIST_WAIT_S)], home / "policy-log")
    wait_for_port(policy, "the greylisting policy")
    run([which("postfix"), "-c", str(config), "start"], log=home / "commands")
    try:
        for port in (limited, grey, plain, strict):
            wait_for_port(port, "Postfix")
    except CannotStart:
        run([which("postfix"), "-c", str(config), "abort"], log=home / "commands")
        raise
    variables = {
        "TICKETMAIL_TEST_POSTFIX": f"smtp://127.0.0.1:{limited}",
        "TICKETMAIL_TEST_POSTFIX_RATE": f"{MESSAGES_PER_WINDOW}/{RATE_WINDOW_S}s",
        "TICKETMAIL_TEST_POSTFIX_GREYLIST": f"smtp://127.0.0.1:{grey}",
        "TICKETMAIL_TEST_POSTFIX_GREYLIST_WAIT_S": str(GREYLIST_WAIT_S),
        "TICKETMAIL_TEST_POSTFIX_PLAIN": f"smtp://127.0.0.1:{plain}",
        "TICKETMAIL_TEST_POSTFIX_STRICT": f"smtp://127.0.0.1:{strict}",
        "TICKETMAIL_TEST_POSTFIX_CA": str(home / "ca.pem"),
        "TICKETMAIL_TEST_POSTFIX_LOG": str(home / "log"),
    }
    if auth:
        variables["TICKETMAIL_TEST_POSTFIX_SUBMISSION"] = f"127.0.0.1:{submission}"
    return Started({_master_pid(home): signal.SIGTERM, policy_pid: signal.SIGTERM}, variables)


def _make_certificate(home: Path) -> None:
    """For localhost, signed by itself: ``ca.pem`` proves it, ``server.pem`` is its key before it, as Postfix wants them."""
    key, certificate = home / "key.pem", home / "ca.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    made = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate))
    run([which("openssl"), "req", "-x509", *made, *subject], log=home / "commands")
    server = home / "server.pem"
    server.touch(mode=0o600)
    server.write_text(key.read_text() + certificate.read_text())


def _master_pid(home: Path) -> int:
    file = home / "queue" / "pid" / "master.pid"
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.05)
    raise CannotStart("Postfix's master did not write its process id")


SERVICE = Service("postfix", ("postfix", "openssl"), _missing, _start, needs=("smtp-sink", "dovecot"))
