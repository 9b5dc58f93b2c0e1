"""A host process that hands mail over to a broker, can be killed anywhere, and goes on where its own record ends.

Run as a script: ``road_host.py SETTINGS NAME COUNT RECORD PACE VALVE``. A line in RECORD means: the broker had confirmed. What
has no line is handed over again under the same key, as a host would. PACE: seconds for each mail. VALVE: a file that says how
many of its mails it may have handed over by now. Beside RECORD, a file ``.flight`` says ``1`` while a call is on its way.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.submitter import Record, read_record, submission
from ticketmail import BrokerError, Receipt, SubmitInDoubt, TicketMail, TicketmailError

BATCH = 25
_AGAIN_S = 0.3
_VALVE_S = 0.05


class Flight:
    """Tells whoever kills this process whether a call was on its way."""

    def __init__(self, record_path: Path) -> None:
        self._fd = os.open(flight_of(record_path), os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(self._fd, b"0", 0)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """While a call runs."""
        os.pwrite(self._fd, b"1", 0)
        try:
            yield
        finally:
            os.pwrite(self._fd, b"0", 0)


def flight_of(record_path: Path) -> Path:
    """The file that belongs to a record."""
    return record_path.with_suffix(".flight")


def run(settings: str, name: str, count: int, record_path: Path, pace_s: float, valve: Path) -> None:
    """Hand over what the record does not have yet."""
    known = {entry["key"] for entry in read_record(record_path)} if record_path.exists() else set()
    left = [number for number in range(count) if f"{name}-{number}" not in known]
    record, flight = Record(record_path), Flight(record_path)
    with TicketMail(settings=settings) as mail:
        for start in range(0, len(left), BATCH):
            numbers = left[start : start + BATCH]
            while int(valve.read_text()) <= numbers[0]:
                time.sleep(_VALVE_S)
            while numbers:
                began = time.monotonic()
                with flight():
                    results = mail.submit_many([submission(name, number) for number in numbers])
                numbers = _noted(record, name, zip(numbers, results, strict=True), time.monotonic() - began)
                time.sleep(_AGAIN_S if numbers else 0)
            time.sleep(pace_s * BATCH)


def _noted(record: Record, name: str, results: Iterable[tuple[int, Receipt | TicketmailError]], seconds: float) -> list[int]:
    """The numbers that have to be handed over again."""
    again = []
    for number, result in results:
        if isinstance(result, Receipt):
            record.note(f"{name}-{number}", result, seconds)
        elif isinstance(result, (BrokerError, SubmitInDoubt)):
            again.append(number)
        else:
            raise result
    return again


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]), Path(sys.argv[6]))
