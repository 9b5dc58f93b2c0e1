"""Commands on parked jobs: what came by the broker and could not be taken in."""

from __future__ import annotations

import json
from uuid import UUID

from ticketmail.app.cli import NOT_QUITE, OK
from ticketmail.app.cli.acting import done
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.output import Table
from ticketmail.domain.ports.intaking import ParkedJob, Parking
from ticketmail.domain.ports.queueing import SUBMIT, Job

_SHOWN_BYTES = 2000
_MOST = 10_000


def listed(context: Context) -> int:
    """The last first. Exit code 1 if there are any."""
    found = list(_parking(context).parked(context.args.limit))
    if context.out.as_json:
        context.out.json([_facts(one) for one in found])
        return NOT_QUITE if found else OK
    table = Table(("job", "kind", "queue", "parked", "times", "cause", "why"), empty="No parked jobs.", right=(4,), wide=True)
    times = context.times
    for one in found:
        row = (one.parked_id, one.kind or "?", one.queue, times.at(one.parked_us), one.times, one.cause, one.reason)
        table.rows.append(row)
    context.out.table(table)
    if found:
        context.out.line("`ticketmail parked show ID` shows one; mend the cause, then `ticketmail parked replay ID` (or all).")
    return NOT_QUITE if found else OK


def show(context: Context) -> int:
    """One of them, with its bytes as far as they are text."""
    job = _named(context, context.args.job)
    if context.out.as_json:
        context.out.json({**_facts(job), "body": job.body.decode("utf-8", "backslashreplace")})
        return OK
    out = context.out
    out.line(f"{job.parked_id}: {job.kind or 'a job that cannot be read'}, parked {job.times} times", "bold")
    out.line(f"  {job.cause}: {job.reason}")
    out.line(f"  from the queue {job.queue!r}, id there {job.job_id or '-'}, last {context.times.full(job.parked_us)}")
    out.line("")
    out.line(_pretty(job.body)[:_SHOWN_BYTES])
    if len(job.body) > _SHOWN_BYTES:
        out.line(f"... {len(job.body)} bytes; --json shows all of them.")
    return OK


def replay(context: Context) -> int:
    """Take them in again, with the settings of now."""
    from ticketmail.app.wiring.brokering import blobs_of
    from ticketmail.app.wiring.intaking import take_in_of

    mail, parking = context.mail, _parking(context)
    secrets = () if context.args.unsigned else None
    taking = take_in_of(mail.settings, mail.injector, mail.spool, shared=blobs_of(mail.settings), secrets=secrets)
    taken, refused = 0, list[ParkedJob]()
    for job in _chosen(context):
        if job.queue == SUBMIT and not taking.take([Job(job.job_id, job.body)]).counts.get("parked"):
            taken += parking.end(job.parked_id, "replayed", actor=context.actor, reason=context.reason)
        else:
            refused.append(parking.one(job.parked_id) or job)
    for one in () if context.out.as_json else refused:
        context.out.line(f"{one.parked_id} stays parked: {one.reason}")
    return done(context, taken, f"{_jobs(taken)} taken in, {_jobs(len(refused))} parked still.", parked=len(refused))


def dismiss(context: Context) -> int:
    """Read, and put away."""
    parking, count = _parking(context), 0
    for job in _chosen(context):
        count += parking.end(job.parked_id, "dismissed", actor=context.actor, reason=context.reason)
    return done(context, count, f"{_jobs(count)} put away; their bytes are kept for the retention of dead letters.")


def _parking(context: Context) -> Parking:
    return context.mail.spool.parking


def _chosen(context: Context) -> list[ParkedJob]:
    if context.args.jobs == ["all"]:
        return list(_parking(context).parked(_MOST))
    return [_named(context, text) for text in context.args.jobs]


def _named(context: Context, text: str) -> ParkedJob:
    try:
        found = _parking(context).one(UUID(text))
    except ValueError:
        raise UsageError(f"{text!r} is not a parked job's id.", remedy="`ticketmail parked list` shows ids.") from None
    if found is None:
        raise UsageError(f"There is no parked job {text}.", remedy="`ticketmail parked list` shows those that wait.")
    return found


def _facts(job: ParkedJob) -> dict[str, object]:
    names = ("parked_id", "queue", "job_id", "kind", "cause", "reason", "parked_us", "times")
    return {name: getattr(job, name) for name in names} | {"size_bytes": len(job.body)}


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"
