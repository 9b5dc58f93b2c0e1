"""One command: from its arguments to its exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ticketmail.app.cli import BAD, INTERRUPTED
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.parsing import parse
from ticketmail.domain.errors import TicketmailError

#: EX_TEMPFAIL of sysexits.h.
TEMPFAIL = 75

if TYPE_CHECKING:
    from ticketmail.app.cli.context import Context


def run(argv: Sequence[str]) -> int:
    """Parse, run, and say what went wrong in one line. Only ``--debug`` shows tracebacks."""
    _open_what_is_shut()
    code = _run(argv)
    # A mail server that gets any other code than 0 and 75 sends the mail back: whatever went wrong, it is to keep it.
    return TEMPFAIL if code and _command(argv) == "pipe" else code


def _open_what_is_shut() -> None:
    """A script may start us with standard streams closed (``>&-``)."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w"))  # noqa: SIM115 - until we end


def _command(argv: Sequence[str]) -> str:
    """The command's name, however the rest is misspelled."""
    words = iter(argv)
    for word in words:
        if word in ("--app", "--settings"):
            next(words, "")
        elif not word.startswith("-"):
            return word
    return ""


def _run(argv: Sequence[str]) -> int:
    try:
        args = parse(argv)
    except UsageError as error:
        return _say(f"error: {error}")
    except SystemExit as done:  # --help, --version
        return int(done.code or 0)
    return run_parsed(args)


def run_parsed(args: argparse.Namespace) -> int:
    """Run the command that ``args`` names."""
    from ticketmail.app.cli.context import Context

    context = Context(args)
    try:
        return _guarded(context)
    finally:
        context.close()


def _guarded(context: Context) -> int:
    module, _, function = context.args.run.partition(":")
    try:
        code = getattr(import_module(f"ticketmail.app.cli.{module}"), function)(context)
        sys.stdout.flush()
        return int(code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `ticketmail find all | head`: nobody reads on. Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TicketmailError, OSError) as error:
        if context.args.debug:
            raise
        _report(context, f"error: {_text(error)}")
    except Exception as error:  # whatever it is, people get a line and a next step, not a traceback
        if context.args.debug:
            raise
        _report(context, f"error: {type(error).__name__}: {_text(error)} This is a fault of ours; --debug shows where.")
    return BAD


def _report(context: Context, text: str) -> None:
    """One line. What looks like a secret is masked even where the settings, which know them, could not be read."""
    from ticketmail.app.logging import Redaction

    context.out.error(Redaction().text(text))


def _text(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?", "!", "`")) else f"{text or type(error).__name__}."


def _say(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return BAD
