"""``python -m ticketmail``."""

from __future__ import annotations

import sys

from ticketmail.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
