"""Each broker from end to end: a host hands over, a worker process takes in and sends to a mail server, the host hears of it."""

from __future__ import annotations

import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from adapters.kombu.servers import url_of
from adapters.kombu.test_contract import KOMBUS_OWN
from chaos.harness import Child
from ticketmail import MailEvent, Message, Submission, TicketMail
from ticketmail.testing.smtpd import SmtpServer

KEYS = {f"note-{number}" for number in range(30)}
SETTINGS = """
site = "desk"
{spool}

[broker]
url = "{url}"
prefix = "{prefix}"
secret = "one secret of both sides"
lease = "6s"
{options}

[accounts.desk]
url = "smtp://127.0.0.1:{port}"
"""
#: moto answers without TLS. The tables of kombu lose jobs when a process is killed; nobody is killed here.
OPTIONS = {"sqs": '[broker.options]\nis_secure = "false"\nregion = "eu-central-1"'}
SERVERS = {"rabbitmq": "TICKETMAIL_TEST_RABBITMQ", "redis": "TICKETMAIL_TEST_REDIS"}


@pytest.fixture(params=[*SERVERS, "sqs", "kafka", "sqla"])
def road(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What both sides know of the broker."""
    name = request.param
    if name == "sqla":
        return {"url": f"sqla+sqlite:///{tmp_path}/kombu.db", "prefix": "desk", "options": "allow_lossy = true"}
    url = url_of(SERVERS[name]) if name in SERVERS else str(request.getfixturevalue(name))
    return {"url": url, "prefix": f"t{uuid.uuid4().hex[:12]}", "options": OPTIONS.get(name, "")}


def written(path: Path, **values: Any) -> Path:
    path.write_text(SETTINGS.format(**values))
    return path


def mail_of(key: str) -> Submission:
    message = Message(sender="help@example.com", to=f"{key}@example.net", subject=key, text="On its way.")
    return Submission(message=message, key=key, ticket=key)


@pytest.mark.filterwarnings(KOMBUS_OWN)
def test_a_mail_arrives_and_the_host_hears_of_it(road: dict[str, str], tmp_path: Path) -> None:
    with SmtpServer().in_thread() as server:
        spool = f'spool = "sqlite:///{tmp_path}/spool.db"'
        service = written(tmp_path / "service.toml", **road, spool=spool, port=server.port)
        host = written(tmp_path / "host.toml", **road, spool="", port=server.port)
        command = [sys.executable, "-m", "ticketmail", "--settings", str(service), "worker", "--intake", road["url"]]
        worker = Child("worker", command, tmp_path / "worker.log")
        with TicketMail(settings=host) as mail:
            mail.prepare()
            worker.start()
            try:
                mail.submit_many([mail_of(key) for key in sorted(KEYS)])
                heard = heard_by(mail)
            finally:
                code = worker.stop()

    assert heard == KEYS, worker.said()
    assert sorted(mail.recipients[0] for mail in server.taken) == sorted(f"{key}@example.net" for key in KEYS)
    assert code == 0


def heard_by(mail: TicketMail) -> set[str]:
    """Keys of which the host hears that they were sent."""
    found, stop = set[str](), threading.Event()

    def handler(event: MailEvent) -> None:
        if event.kind == "sent":
            found.add(str(event.key))
        if found >= KEYS:
            stop.set()

    patience = threading.Timer(90, stop.set)
    patience.start()
    mail.listen(handler, stop=stop)
    patience.cancel()
    return found
