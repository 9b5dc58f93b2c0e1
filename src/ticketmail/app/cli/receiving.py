"""Commands on incoming mail: take it, list it, read it again, count it."""

from __future__ import annotations

import json
import mailbox
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from ticketmail.app.cli import BAD, NOT_QUITE, OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.moments import past_us
from ticketmail.app.cli.output import Table
from ticketmail.domain.ports.receiving import InboundState, InboundView

#: Why a row of a table is empty.
_NONE = "-"


def pipe(context: Context) -> int:
    """Take one mail from standard input. Whatever goes wrong ends in TEMPFAIL: see ``running``."""
    content = sys.stdin.buffer.read()
    if not content.strip():
        raise UsageError("There was no mail on standard input.", remedy="Let the mail server write it there.")
    args = context.args
    stored = context.mail.inbound.receive(args.mailbox, content, envelope_from=args.sender, envelope_to=args.to)
    if context.out.as_json:
        context.out.json({"id": stored.inbound_id, "new": stored.new})
    return OK


def import_(context: Context) -> int:
    """Take old mail in. Exit code 1 if there was none."""
    inbound = context.mail.inbound
    inbound.tenant(context.args.mailbox)  # a name that is wrong is told before a large archive is read
    counts = {"new": 0, "known": 0}
    for path in context.args.paths:
        for content in _mails(Path(path)):
            stored = inbound.receive(context.args.mailbox, content, silent=True)
            counts["new" if stored.new else "known"] += 1
    if context.out.as_json:
        context.out.json(counts)
    else:
        context.out.line(f"{counts['new']} mails taken in, {counts['known']} were there already. A worker makes them events.")
    return OK if any(counts.values()) else NOT_QUITE


def _mails(path: Path) -> Iterator[bytes]:
    """The mails of an mbox file, a file, or a directory: its maildirs, it and their subfolders included, and .eml files. What is
    empty is none. Raises UsageError."""
    if not path.exists():
        raise UsageError(f"There is no {path}.", remedy="Name a maildir, an mbox file, or .eml files.")
    found = _of_directory(path) if path.is_dir() else _of_file(path)
    return (content for content in found if content.strip())


def _of_directory(path: Path) -> Iterator[bytes]:
    maildirs = [one.parent for one in sorted(path.rglob("cur")) if (one.parent / "new").is_dir()]
    places = [maildir / name for maildir in maildirs for name in ("cur", "new")]
    for place in places:
        yield from (one.read_bytes() for one in sorted(place.iterdir()) if one.is_file())
    yield from (one.read_bytes() for one in sorted(path.rglob("*.eml")) if one.parent not in places)


def _of_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        is_mbox = file.read(5) == b"From "
    if not is_mbox:
        yield path.read_bytes()
        return
    box = mailbox.mbox(path, create=False)
    yield from (box.get_bytes(key) for key in box.keys())  # noqa: SIM118 (a mailbox iterates over messages)
    box.close()


def listed(context: Context) -> int:
    """Newest first. Exit code 1 if there are none."""
    found = _found(context)
    if context.out.as_json:
        context.out.json([_public(view) for view in found])
        return OK if found else NOT_QUITE
    times = context.times
    table = Table(("id", "came", "mailbox", "from", "subject", "what", "ticket", "state"), empty="No mail.", wide=True)
    for view in found:
        what = view.category or _NONE
        ticket = f"{view.ticket} ({view.strength})" if view.ticket else _NONE
        row = (view.inbound_id, times.at(view.received_us), view.mailbox, view.author, view.subject, what, ticket, view.state)
        table.rows.append(row)
    context.out.table(table)
    return OK if found else NOT_QUITE


def show(context: Context) -> int:
    """One mail: where it came from, what it became, and why."""
    view = _view(context)
    if context.args.raw:
        sys.stdout.buffer.write(_raw(context, view))
        return OK
    if context.out.as_json:
        context.out.json(_public(view))
        return OK
    times, out = context.times, context.out
    out.line(f"{view.inbound_id}  {view.subject}")
    out.line(f"From {view.author or 'nobody that can be named'}, into {view.mailbox} ({view.source}), {view.size_bytes} bytes.")
    since = f" since {times.at(view.settled_us)}" if view.settled_us else ""
    out.line(f"Came {times.at(view.received_us)}; {view.state}{since}.")
    if view.error:
        out.line(f"Trouble: {view.error}")
    if view.category:
        ticket = f"ticket {view.ticket} ({view.strength})" if view.ticket else "no ticket"
        out.line(f"It is {view.category} mail, of {ticket}.")
    for clue in json.loads(view.verdict or "[]"):
        out.line(f"  {'+' if clue['held'] else '-'} {clue['rule']}: {clue['detail']}")
    for row in context.reading.history(view.inbound_id):
        out.line(f"{times.at(row.at_us)}  {row.kind}  {row.reason}")
    return OK


def retry(context: Context) -> int:
    """Read a dead one again."""
    view = _view(context)
    done = context.mail.inbound.ledger.again(view.inbound_id)
    text = "A worker reads it again." if done else f"It is {view.state}, not dead: nothing was done."
    context.out.json({"changed": int(done)}) if context.out.as_json else context.out.line(text)
    return OK if done else NOT_QUITE


def reparse(context: Context) -> int:
    """Read stored mail by today's rules. Exit code 1 if anything differs; changes nothing."""
    seen = 0
    differing: list[dict[str, Any]] = []
    found = _found(context, states=[InboundState.DONE, InboundState.DEAD])
    for view in found:
        if view.raw:
            seen += 1
            differing += _differences(context, view)
    if context.out.as_json:
        context.out.json({"read": seen, "differences": differing})
        return NOT_QUITE if differing else OK
    table = Table(("id", "subject", "what", "was", "would be"), empty="Nothing differs.", wide=True)
    for one in differing:
        table.rows += [(one["id"], one["subject"], name, *change) for name, change in one["changes"].items()]
    context.out.line(f"{seen} mails read again, {len(differing)} would be judged otherwise. Nothing was changed.")
    if len(found) == context.args.limit:
        context.out.line(f"Only the newest {len(found)} were looked at: --limit takes more.")
    context.out.table(table)
    return NOT_QUITE if differing else OK


def _differences(context: Context, view: InboundView) -> list[dict[str, Any]]:
    found = context.mail.inbound.interpret.one(view, _raw(context, view))
    now = {"category": found.category, "ticket": found.thread.ticket, "strength": found.thread.strength, "author": found.author}
    was = {name: getattr(view, name) for name in now}
    # A ticket that the host named later is no rule's doing.
    if view.strength == "none":
        was["ticket"] = None
    changes = {name: (was[name], now[name]) for name in now if was[name] != now[name]}
    return [{"id": view.inbound_id, "subject": view.subject, "changes": changes}] if changes else []


def check(context: Context) -> int:
    """The balance of each mailbox: what the server has, against the ledger. Exit code 1 if something is missing, 2 if a server
    cannot be asked; the others are, all the same."""
    from ticketmail.app.usecases.ingest import balance
    from ticketmail.app.wiring.mailboxes import make_mailbox

    settings, ledger = context.mail.settings, context.mail.spool.ledger
    names = [context.args.mailbox] if context.args.mailbox else sorted(settings.mailboxes)
    sheets = []
    for name in names:
        tenant = context.mail.inbound.tenant(name)
        has_url = bool(settings.mailboxes[name].url.get_secret_value())
        source = make_mailbox(settings, name, context.mail.host.tokens, read_only=True) if has_url else None
        sheets.append(balance(ledger, name, tenant, source))
    if context.out.as_json:
        context.out.json([asdict(one) for one in sheets])
    for sheet in sheets if not context.out.as_json else ():
        context.out.line(sheet.sentence)
        for missing in sheet.missing[:20]:
            context.out.line(f"  not in the ledger: {missing}")
    if any(sheet.trouble for sheet in sheets):
        return BAD
    return OK if all(sheet.is_whole for sheet in sheets) else NOT_QUITE


def _found(context: Context, *, states: list[InboundState] | None = None) -> list[InboundView]:
    args = context.args
    since_us = past_us(args.since, context.reading.now_us(), option="--since") if args.since else None
    if states is None:
        states = [_state(text) for text in args.state]
    ticket = getattr(args, "ticket", None)
    found = context.mail.inbound.find(mailbox=args.mailbox, ticket=ticket, states=states, since_us=since_us, limit=args.limit)
    return list(found)


def _state(text: str) -> InboundState:
    try:
        return InboundState(text)
    except ValueError:
        known = ", ".join(state.value for state in InboundState)
        raise UsageError(f"There is no state {text!r}.", remedy=f"Known: {known}.") from None


def _view(context: Context) -> InboundView:
    try:
        ident = UUID(context.args.id)
    except ValueError:
        raise UsageError("A mail's id is a UUID.", remedy="`ticketmail inbound list` shows them.") from None
    view = context.mail.inbound.ledger.get(ident)
    if view is None:
        raise UsageError(f"There is no incoming mail {ident}.", remedy="`ticketmail inbound list` shows what there is.")
    return view


def _raw(context: Context, view: InboundView) -> bytes:
    try:
        return context.mail.inbound.raw(view)
    except KeyError:
        raise UsageError("Its bytes are gone (retention, or erased).", remedy="") from None


def _public(view: InboundView) -> dict[str, object]:
    return {**asdict(view), "verdict": json.loads(view.verdict or "[]")}
