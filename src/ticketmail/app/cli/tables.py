"""Commands on the spool's tables: db upgrade, check, ddl, export, drop."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from ticketmail.app.cli import BAD, OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.moments import past_us
from ticketmail.app.cli.plain import plain
from ticketmail.app.settings_values import masked
from ticketmail.domain.ports.reading import DeliveryView, Reading
from ticketmail.domain.scope import Scope

PAGE = 500


def upgrade(context: Context) -> int:
    """Make or upgrade the tables."""
    if context.args.sql:
        return ddl(context)
    if context.args.check:
        return check(context)
    did = list(context.mail.administering.upgrade())
    if context.out.as_json:
        context.out.json({"done": did})
    for text in () if context.out.as_json else did or ["Nothing to do."]:
        context.out.line(text)
    return OK


def check(context: Context) -> int:
    """What is wrong. Exit code 2 if anything is."""
    wrong = list(context.mail.administering.check())
    if context.out.as_json:
        context.out.json({"wrong": wrong})
    for text in () if context.out.as_json else wrong or ["Tables and database are well."]:
        context.out.line(text)
    return BAD if wrong else OK


def ddl(context: Context) -> int:
    """The SQL."""
    sql = context.mail.administering.ddl()
    if context.out.as_json:
        context.out.json({"sql": sql})
    else:
        context.out.raw(sql)
    return OK


def export(context: Context) -> int:
    """A JSON object a line: delivery, history, and the body if asked for. One page is in memory at a time."""
    args, reading = context.args, context.reading
    since_us = past_us(args.since, reading.now_us(), option="--since") if args.since else None
    for view in _pages(reading, Scope.parse(args.scope), since_us):
        line = {"delivery": plain(view), "history": plain(reading.history(view.submission_id, view.number))}
        if args.bodies:
            body = reading.body(view.submission_id)
            line["body"] = None if body is None else base64.b64encode(body).decode()
        context.out.json_line(line)
    return OK


def _pages(reading: Reading, scope: Scope, since_us: int | None) -> Iterator[DeliveryView]:
    after = None
    while page := reading.find(scope, since_us=since_us, limit=PAGE, after=after):
        yield from page
        after = (page[-1].submission_id, page[-1].number)


def drop(context: Context) -> int:
    """All our tables, with everything in them."""
    context.confirm(f"Drop all ticketmail tables of {masked(context.mail.settings.spool.url)}, with all mail in them?")
    context.mail.administering.drop()
    if context.out.as_json:
        context.out.json({"dropped": True})
    else:
        context.out.line("Dropped.")
    return OK
