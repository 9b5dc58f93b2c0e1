"""A desk with settings, a spool filled through its ports, and ``main([...])``."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ticketmail import Message, TicketMail
from ticketmail.app.cli import main
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.delivering import ClaimedMail, Completion, Fenced, Want, WorkerInfo, WorkerSide

#: Must never be seen in any output.
CANARY = "canary-Pa55word"

SETTINGS = f"""
site = "desk"
spool = "sqlite:///spool.db"
secret = "{CANARY}-0123456789abcdef"

[accounts.support]
url = "smtp://help%40example.com:{CANARY}@127.0.0.1:1"
limits = ["10/min", "2000/day"]
allow_plaintext = true

[alerts]
webhook = "https://hooks.example.com/services/{CANARY}"
"""


class Ran:
    """What one command did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"code {self.code}\n{self.out}\n{self.err}"


class Desk:
    """A directory with ``ticketmail.toml``, and its spool."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        self.seen: list[str] = []
        self.write(SETTINGS)

    def write(self, settings: str) -> None:
        (self.home / "ticketmail.toml").write_text(settings)

    def run(self, *argv: str) -> Ran:
        self._capsys.readouterr()
        code = main(list(argv))
        out, err = self._capsys.readouterr()
        self.seen += [out, err]
        return Ran(code, out, err)

    def act(self, *argv: str) -> Ran:
        """A human act, by mia."""
        return self.run(*argv, "--reason", "a test", "--actor", "mia")

    def submit(self, to: str = "ann@example.net", **names: Any) -> UUID:
        message = Message(sender="help@example.com", to=to, subject="Your printer", text="On its way.")
        with TicketMail() as mail:
            return mail.submit(message, **names).submission_id

    def on_spool(self, work: Callable[[WorkerSide, UUID], Awaitable[Any]], *, retire: bool = True) -> Any:
        """Run ``work`` as a worker does."""

        async def run() -> Any:
            with TicketMail() as mail:
                mail.prepare()
                side = mail.spool.worker_side()
                worker_id = (await side.workers.register(WorkerInfo("mailhost", 1, "1.0", mail.settings.site))).worker_id
                try:
                    return await work(side, worker_id)
                finally:
                    if retire:
                        await side.workers.retire(worker_id)
                    await side.aclose()

        return asyncio.run(run())

    def end(self, state: DeliveryState, lane: str = "reply", **said: Any) -> list[ClaimedMail]:
        """Send all that is due, and let it end so."""

        async def work(side: WorkerSide, worker_id: UUID) -> list[ClaimedMail]:
            mails = list(await side.deliveries.claim(worker_id, [Want("*", lane, 100)]))
            now_us = time.time_ns() // 1000
            for mail in mails:
                claims = [Fenced(mail.submission_id, one.number, one.fence) for one in mail.deliveries]
                await side.deliveries.begin(worker_id, "support", claims)
                known = {"account": "support", "began_us": now_us, "ended_us": now_us, "spends": True, **said}
                await side.deliveries.record(worker_id, [Completion(claim, state, **known) for claim in claims])
            return mails

        found: list[ClaimedMail] = self.on_spool(work)
        assert found
        return found

    def bury(self, to: str = "ann@example.net", **names: Any) -> UUID:
        """One dead letter."""
        id_ = self.submit(to, **names)
        self.end(DeliveryState.DEAD, outcome="refused", phase="mail", cause="relay-denied", reply="550 5.7.1 relay denied")
        return id_


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory of its own, UTC+1, no terminal, no settings of whoever runs the tests."""
    for name in [one for one in os.environ if one.startswith("TICKETMAIL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "<+01>-1")
    time.tzset()
    logger = logging.getLogger("ticketmail")
    before = (logger.handlers[:], logger.propagate, logger.level)
    yield
    logger.handlers[:], logger.propagate, logger.level = before  # `worker` sets logging up for its process
    monkeypatch.delenv("TZ")
    time.tzset()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, capsys)
    yield made
    assert CANARY not in "".join(made.seen), "a secret was shown"
