"""A host process that hands mail over to a broker, can be killed anywhere, and goes on where its own record ends.

Run as a script: ``road_host.py SETTINGS NAME COUNT RECORD PACE``. A line in RECORD means: the broker had confirmed. What has no
line is handed over again under the same key, as a host would. PACE: seconds for each mail.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from chaos.submitter import Record, read_record, submission
from ticketmail import BrokerError, Receipt, SubmitInDoubt, TicketMail

BATCH = 25
_AGAIN_S = 0.3


def run(settings: str, name: str, count: int, record_path: Path, pace_s: float) -> None:
    """Hand over what the record does not have yet."""
    known = {entry["key"] for entry in read_record(record_path)} if record_path.exists() else set()
    left = [number for number in range(count) if f"{name}-{number}" not in known]
    record = Record(record_path)
    with TicketMail(settings=settings) as mail:
        for start in range(0, len(left), BATCH):
            numbers = left[start : start + BATCH]
            while numbers:
                numbers = _hand_over(mail, record, name, numbers)
                time.sleep(_AGAIN_S if numbers else 0)
            time.sleep(pace_s * BATCH)


def _hand_over(mail: TicketMail, record: Record, name: str, numbers: list[int]) -> list[int]:
    """One call; the numbers that have to be handed over again."""
    began = time.monotonic()
    results = mail.submit_many([submission(name, number) for number in numbers])
    again = []
    for number, result in zip(numbers, results, strict=True):
        if isinstance(result, Receipt):
            record.note(f"{name}-{number}", result, time.monotonic() - began)
        elif isinstance(result, (BrokerError, SubmitInDoubt)):
            again.append(number)
        else:
            raise result
    return again


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))
