"""A worker whose leases on mailboxes and incoming mails are short, so that a test need not wait out those of the dead.

Run as a script: ``hasty_worker.py SETTINGS``.
"""

from __future__ import annotations

import sys

from ticketmail.app import reception
from ticketmail.app.cli import main
from ticketmail.app.usecases.ingest import settle

reception.LEASE_S, reception.CLAIM_S = 1.5, 0.3
settle.LEASE_S = 3.0

if __name__ == "__main__":
    sys.exit(main(["--settings", sys.argv[1], "worker"]))
