"""``ticketmail``: what people and scripts see of the spool, and change in it.

Exit codes: 0 well (``status``, ``doctor``: all is well), 1 not quite (a warning; nothing found; not changed), 2 bad (mail does
not leave as it should; an error; wrong usage), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

OK, NOT_QUITE, BAD, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. ``argv`` None: the process's own arguments. Returns the exit code; never raises for what goes wrong."""
    from ticketmail.app.cli.running import run

    return run(list(sys.argv[1:] if argv is None else argv))
