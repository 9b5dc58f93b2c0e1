"""A host that hands over for ever, and prints each id once it has its receipt: ``python host.py SETTINGS_AS_JSON``."""

from __future__ import annotations

import itertools
import json
import sys

from ticketmail import Message, TicketMail

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")

if __name__ == "__main__":
    mail = TicketMail(settings=json.loads(sys.argv[1]))
    for number in itertools.count():
        sys.stdout.write(f"{mail.submit(NOTE, key=str(number)).submission_id}\n")
        sys.stdout.flush()
