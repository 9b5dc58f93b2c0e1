"""A host under gunicorn that hands mail over at import: its workers are forked from a parent that is warm."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from ticketmail import Message, TicketMail

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")

mail = TicketMail(settings=json.loads(os.environ["DESK"]))
mail.submit(NOTE, key="warm")


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """``GET /KEY`` hands a mail over; answers the process and the receipt's id."""
    receipt = mail.submit(NOTE, key=environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {receipt.submission_id}".encode()]
