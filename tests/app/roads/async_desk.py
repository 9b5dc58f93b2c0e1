"""An ASGI host: many requests at once in one event loop, each with two mails side by side."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from app.roads.host import NOTE
from ticketmail import TicketMail

mail = TicketMail(settings=json.loads(os.environ["DESK"]))


async def app(scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """``GET /KEY`` hands over two mails, ``KEY`` and ``KEY.too``; answers the process and the first receipt's id."""
    assert scope["type"] == "http"
    key = scope["path"].strip("/")
    receipt, _ = await asyncio.gather(mail.asubmit(NOTE, key=key), mail.asubmit(NOTE, key=f"{key}.too"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{os.getpid()} {receipt.submission_id}".encode()})
