"""``doctor --probe`` against Postfix, with a login at Dovecot: what it finds is so, and a worker sends by the TOML it says."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from imapclient import IMAPClient

from chaos.harness import Child, until
from ticketmail import Message, TicketMail
from ticketmail.app.cli import main

pytestmark = [pytest.mark.dovecot, pytest.mark.postfix]
DESK, OTHER, ANN = "support@desk.test", "sales@desk.test", "ann@customer.test"


@pytest.fixture
def variables() -> dict[str, str]:
    names = ("POSTFIX_SUBMISSION", "POSTFIX_CA", "DOVECOT", "DOVECOT_PASSWORD")
    found = {name: os.environ.get(f"TICKETMAIL_TEST_{name}", "") for name in names}
    if not all(found.values()):
        pytest.skip("Dovecot or Postfix does not run (scripts/services start dovecot postfix)")
    return found


@pytest.fixture
def probed(variables: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TICKETMAIL_PROBE_PASSWORD", variables["DOVECOT_PASSWORD"])

    def run(*more: str) -> tuple[int, dict[str, Any]]:
        url = f"smtp://{quote(DESK, safe='')}@{variables['POSTFIX_SUBMISSION']}"
        code = main(["doctor", "--probe", url, "--ca-file", variables["POSTFIX_CA"], *more, "--json"])
        text = capsys.readouterr().out
        assert variables["DOVECOT_PASSWORD"] not in text
        return code, json.loads(text)

    return run


@pytest.mark.timeout(60)
def test_each_finding_is_what_the_server_does(probed: Any) -> None:
    code, found = probed("--from", DESK, "--from", OTHER, "--send-to", ANN)

    assert code == 2, "one of the two senders is not allowed"
    levels = {(one["subject"], one["level"]) for one in found["findings"]}
    assert {("login", "ok"), ("size", "ok"), ("plus-address", "ok"), ("return path", "ok"), ("sent", "ok")} <= levels
    texts = [one["text"] for one in found["findings"]]
    assert any(f"logged in as {DESK}" in text for text in texts)
    assert any("TLSv1.3, certificate for localhost" in text for text in texts)
    assert sum(f"not owned by user {DESK}" in text for text in texts) == 2, "asked, and sent"
    assert any(text.startswith("4 at once; the next one was refused: 421 4.7.0") for text in texts)


@pytest.mark.timeout(60)
def test_a_worker_sends_with_the_toml_that_it_says(probed: Any, variables: dict[str, str], tmp_path: Path) -> None:
    _, found = probed("--from", DESK, "--from", OTHER, "--send-to", ANN)
    secret = tmp_path / "support.password"
    secret.write_text(variables["DOVECOT_PASSWORD"])
    text = found["toml"].replace("/run/secrets/support.password", str(secret))
    account = tomllib.loads(text)["accounts"]["support"]
    assert (account["connections"], account["senders"]) == (4, [DESK])
    (tmp_path / "ticketmail.toml").write_text(f'site = "desk"\nspool = "sqlite:///{tmp_path}/spool.db"\n{text}\n')
    command = [sys.executable, "-m", "ticketmail", "--settings", str(tmp_path / "ticketmail.toml"), "worker"]
    worker = Child("worker", command, tmp_path / "worker.log")

    with TicketMail(settings=tmp_path / "ticketmail.toml") as mail:
        mail.administering.upgrade()
        message_id = mail.submit(Message(sender=DESK, to=ANN, subject="Your printer", text="On its way.")).message_id
    worker.start()
    try:
        until(lambda: _arrived(variables, str(message_id)), 30, f"it is in Ann's mailbox; {worker.said()}")
    finally:
        worker.stop()


def _arrived(variables: dict[str, str], message_id: str) -> bool:
    at = urlsplit(variables["DOVECOT"])
    with IMAPClient(at.hostname, at.port, ssl=False) as client:
        client.login(ANN, variables["DOVECOT_PASSWORD"])
        client.select_folder("INBOX", readonly=True)
        return bool(client.search(["HEADER", "Message-ID", message_id]))
