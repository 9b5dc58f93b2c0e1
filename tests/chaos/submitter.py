"""A host process that hands mail over, can be killed anywhere, and goes on where its own record ends.

Run as a script: ``submitter.py SETTINGS MODE NAME COUNT RECORD PACE [HOST_URL]``. A line in RECORD (JSON: key, id, message_id,
seconds) means: the call had returned. What was handed over without a line is handed over again with the same key, as a host
would. Modes: ``one`` (submit), ``many`` (submit_many of ten), ``joined`` (in the host's own transaction, together with a row
of its own; every seventh is rolled back first under a key of its own). PACE: seconds for each mail.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ticketmail import Message, Receipt, SpoolUnreachable, Submission, SubmitInDoubt, TicketMail

sys.path.insert(0, str(Path(__file__).parents[1]))  # it runs as a script

from chaos import databases

BATCH = 10
PER_TICKET = 3
HOST_TABLE = "CREATE TABLE IF NOT EXISTS host_note (note_key VARCHAR(200) PRIMARY KEY)"


def submission(name: str, number: int) -> Submission:
    """The mail of that number: three to a ticket, all to one recipient, so that order shows."""
    ticket = f"{name}-{number // PER_TICKET}"
    message = Message(
        sender="Help Desk <help@example.com>",
        to=f"{ticket}@example.net",
        subject=f"Note {number} of {name}",
        text=f"Note {number}.\n" + "All of this was said before, and is said again.\n" * 20,
    )
    return Submission(message=message, ticket=ticket, key=f"{name}-{number}", lane=("reply", "notice")[number // PER_TICKET % 2])


class Record:
    """Which calls have returned. One write call per line: a kill leaves whole lines or none."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, key: str, receipt: Receipt, seconds: float) -> None:
        """The call for ``key`` has returned."""
        entry = {"key": key, "id": receipt.submission_id.hex, "message_id": receipt.message_id, "seconds": seconds}
        os.write(self._fd, json.dumps(entry).encode() + b"\n")


def read_record(path: Path) -> list[dict[str, Any]]:
    """The lines of a record."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Joining:
    """The host's own database: a row of its own and the mail, or neither."""

    def __init__(self, url: str) -> None:
        self._url = url
        with closing(databases.connect(url)) as connection:
            databases.run(connection, HOST_TABLE)
            connection.commit()

    @contextmanager
    def transaction(self, key: str) -> Iterator[Any]:
        """A transaction that has written a row of the host's; commits at its end."""
        kind = databases.kind_of(self._url)
        with closing(databases.connect(self._url)) as connection:
            if kind == "sqlite":
                databases.run(connection, "BEGIN IMMEDIATE")
            once = "INSERT IGNORE INTO host_note (note_key) VALUES (?)"
            if kind != "mariadb":
                once = "INSERT INTO host_note (note_key) VALUES (?) ON CONFLICT DO NOTHING"
            databases.run(connection, once, (key,))
            yield connection
            connection.commit()


def run(settings: str, mode: str, name: str, count: int, record_path: Path, pace_s: float, host_url: str) -> None:
    """Hand over what the record does not have yet."""
    done = {entry["key"] for entry in read_record(record_path)}
    waiting = [number for number in range(count) if f"{name}-{number}" not in done]
    record = Record(record_path)
    with TicketMail(settings=settings) as mail:
        mail.prepare()
        hand_over: Callable[..., None] = {"one": _one, "many": _many, "joined": _joined}[mode]
        host = _patiently(partial(Joining, host_url)) if mode == "joined" else None
        for group in _groups(waiting, BATCH if mode == "many" else 1):
            hand_over(mail, name, group, record, host)
            time.sleep(pace_s * len(group))


def _one(mail: TicketMail, name: str, numbers: list[int], record: Record, _: None) -> None:
    for number in numbers:
        wanted = submission(name, number)
        began = time.perf_counter()
        receipt = _patiently(partial(mail.submit, wanted))
        record.note(str(wanted.key), receipt, time.perf_counter() - began)


def _many(mail: TicketMail, name: str, numbers: list[int], record: Record, _: None) -> None:
    wanted = [submission(name, number) for number in numbers]
    began = time.perf_counter()
    results = mail.submit_many(wanted)
    seconds = time.perf_counter() - began
    for one, result in zip(wanted, results, strict=True):
        receipt = result if isinstance(result, Receipt) else _patiently(partial(mail.submit, one))
        record.note(str(one.key), receipt, seconds)


def _joined(mail: TicketMail, name: str, numbers: list[int], record: Record, host: Joining) -> None:
    for number in numbers:
        wanted = submission(name, number)
        if number % 7 == 0:
            _rolled_back(mail, host, wanted)
        began = time.perf_counter()
        receipt = _patiently(partial(_in_transaction, mail, host, wanted))
        record.note(str(wanted.key), receipt, time.perf_counter() - began)


def _in_transaction(mail: TicketMail, host: Joining, wanted: Submission) -> Receipt:
    with mail.gate(), host.transaction(str(wanted.key)) as connection:
        return mail.submit(wanted, connection=connection)


class _ChangedItsMind(Exception):
    pass


def _rolled_back(mail: TicketMail, host: Joining, wanted: Submission) -> None:
    key = f"rolled-back-{wanted.key}"

    def attempt() -> None:
        try:
            with mail.gate(), host.transaction(key) as connection:
                mail.submit(wanted, key=key, connection=connection)
                raise _ChangedItsMind
        except _ChangedItsMind:
            pass

    _patiently(attempt)


def _patiently(call: Callable[[], Any], seconds: float = 60.0) -> Any:
    """As a host that outlives its database does: the same key again while the server is away. Busy is an error, not patience."""
    until = time.monotonic() + seconds
    while True:
        try:
            return call()
        except SubmitInDoubt as doubt:
            call = doubt.retry
        except SpoolUnreachable:
            if time.monotonic() > until:
                raise
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in ("psycopg", "pymysql") or time.monotonic() > until:
                raise
        time.sleep(0.05)


def _groups(numbers: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


if __name__ == "__main__":
    _settings, _mode, _name, _count, _record, _pace, *_host = sys.argv[1:]
    run(_settings, _mode, _name, int(_count), Path(_record), float(_pace), _host[0] if _host else "")
