"""From the host to the gateway: outbox, relay, broker, intake, spool; with large content, and with a host that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.roads.test_outbox import is_empty
from app.roads.test_servers import SERVERS
from app.roads.test_shared import LARGE
from app.worker.scene import until, working
from app.worker.test_roads import sent
from ticketmail import TicketMail
from ticketmail.app.relaying import run_relay
from ticketmail.app.usecases.compile import submission_id
from ticketmail.app.wiring.brokering import broker_of
from ticketmail.domain.ports.queueing import SUBMIT
from ticketmail.domain.scope import Scope


@asynccontextmanager
async def serving(tmp_path: Path, road: Any) -> AsyncIterator[TicketMail]:
    """The mail service, at work."""
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "broker": road, "accounts": {"out": f"file://{tmp_path}/out"}}
    with TicketMail(settings=settings) as mail:
        async with working(mail):
            yield mail


async def test_a_large_mail_goes_the_whole_road_and_leaves_the_outbox_with_the_services_word(tmp_path: Path) -> None:
    road = {"url": f"memory://{uuid.uuid4()}", "blobs": f"file://{tmp_path}/blobs", "secret": "a secret of many bytes"}
    kept = {"url": f"sqlite:///{tmp_path}/desk.db", "confirm": "spooled"}
    stop = threading.Event()
    with TicketMail(settings={"broker": road, "outbox": kept}) as host:
        receipt = host.submit(LARGE, key="k")
        relay = asyncio.ensure_future(asyncio.to_thread(run_relay, host, stop))
        async with serving(tmp_path, road) as mail:
            await until(lambda: sent(mail) == 1 and is_empty(host), 30)
            stop.set()
            await relay

    (written,) = (tmp_path / "out").glob("*.eml")
    assert receipt.durable == "outbox"
    assert len(written.read_bytes()) > 500_000


async def test_content_that_is_gone_parks_its_job_and_holds_nobody_up(tmp_path: Path) -> None:
    road = {"url": f"memory://{uuid.uuid4()}", "blobs": f"file://{tmp_path}/blobs"}
    with TicketMail(settings={"broker": road}) as host:
        host.submit(LARGE, key="gone")
        for path in (tmp_path / "blobs").glob("*/*"):
            path.unlink()
        host.submit(LARGE.model_copy(update={"text": "small", "attachments": ()}), key="good")
    async with serving(tmp_path, road) as mail:
        await until(lambda: sent(mail) == 1 and mail.spool.parking.waiting() == 1)


@pytest.mark.parametrize("server", sorted(SERVERS))
async def test_a_host_that_is_killed_and_begins_anew_sends_each_key_once(server: str, tmp_path: Path) -> None:
    url = os.environ.get(SERVERS[server])
    if not url:
        pytest.skip(f"no such server: `scripts/services start`, or set {SERVERS[server]}")
    road = {"url": url, "prefix": f"t{uuid.uuid4().hex[:12]}"}
    broker, told = broker_of(TicketMail(settings={"broker": road}).settings), set[str]()
    broker.ensure([SUBMIT])
    async with serving(tmp_path, road) as mail:
        for _ in range(2):
            told |= await asyncio.to_thread(killed_host, {"broker": road})
        await until(lambda: broker.depth(SUBMIT) == 0 and sent(mail) >= len(told), 60)
        counts = Counter(view.key for view in mail.reading.find(Scope.parse("all"), limit=10_000))
    broker.close()

    assert set(counts.values()) == {1}
    assert told <= {str(submission_id("", str(key))) for key in counts}


def killed_host(settings: dict[str, Any]) -> set[str]:
    """What a host was told before it was killed."""
    command = [sys.executable, str(Path(__file__).with_name("host.py")), json.dumps(settings)]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    told = {host.stdout.readline().strip() for _ in range(60)}
    host.send_signal(signal.SIGKILL)
    host.wait()
    host.stdout.close()
    return told
