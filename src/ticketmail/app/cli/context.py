"""What a command works with: arguments, output, the TicketMail, who acts and why."""

from __future__ import annotations

import argparse
import getpass
import os
import socket
import sys
import time
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.output import Output
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.errors import TicketmailError

if TYPE_CHECKING:
    from ticketmail.app.facade import TicketMail
    from ticketmail.app.usecases.report import Facts
    from ticketmail.domain.ports.reading import Reading


class Context:
    """Everything is made when it is first asked for: ``ticketmail --help`` opens nothing."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.out = Output(as_json=args.json)

    @cached_property
    def mail(self) -> TicketMail:
        """The host's own (``--app``, ``$TICKETMAIL_APP``), or one made of the settings. Raises SettingsError, UsageError."""
        named = self.args.app or os.environ.get("TICKETMAIL_APP")
        if named and self.args.settings:
            raise UsageError("--app and --settings both say where settings come from.", remedy="Name one of them.")
        mail = _from_app(named) if named else _from_settings(self.args.settings)
        self._mask_secrets(mail)
        return mail

    @property
    def reading(self) -> Reading:
        """The spool's reading side."""
        return self.mail.reading

    @cached_property
    def facts(self) -> Facts:
        """What the settings say, for reports."""
        from ticketmail.app.wiring.facts import facts_of

        return facts_of(self.mail.settings)

    @property
    def times(self) -> Times:
        """How moments are shown: local, seen now."""
        return Times(time.time_ns() // 1000)

    @property
    def actor(self) -> str:
        """Who acts."""
        return self.args.actor or os.environ.get("TICKETMAIL_ACTOR") or f"{_user()}@{socket.gethostname()}"

    @property
    def reason(self) -> str:
        """Why. Asked for only where a person can answer. Raises UsageError."""
        given = self.args.reason
        if given is None and sys.stdin.isatty():
            given = _ask("Reason (kept in the history): ")
        if not (given or "").strip():
            raise UsageError("A human act needs a reason.", remedy='Add --reason "...".')
        return str(given).strip()

    def confirm(self, question: str) -> None:
        """Go on only if ``--yes`` was given, or a person says yes. Raises UsageError."""
        if self.args.yes:
            return
        if sys.stdin.isatty() and _ask(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
            return
        raise UsageError(f"{question} Nothing was done.", remedy="Add --yes.")

    def close(self) -> None:
        """Release what was opened. A host's own object is its own, but this process ends here."""
        if "mail" in self.__dict__:
            self.mail.close()

    def _mask_secrets(self, mail: TicketMail) -> None:
        from ticketmail.app.logging import Redaction, secrets_of

        self.out.mask = Redaction(secrets_of(mail.settings)).text


def _ask(question: str) -> str:
    """A person's answer. The question goes to standard error, so that ``--json`` stays JSON; no answer is ''."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline()


def load_object(named: str, *, option: str) -> Any:
    """What ``module:object`` names; modules of the current directory are found. Raises UsageError."""
    module_name, colon, path = named.partition(":")
    if not colon or not module_name or not path:
        raise UsageError(f"{option} {named!r} is not module:object.", remedy="Write desk.mail:mail.")
    found = _module(module_name, option)
    for name in path.split("."):
        if not hasattr(found, name):
            raise UsageError(f"{option}: {module_name} has no {path!r}.", remedy="Name what is there.")
        found = getattr(found, name)
    return found


def _module(name: str, option: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise _hosts_fault(option, name, error) from error
        raise UsageError(f"{option}: there is no module {name!r}.", remedy=f"Looked for in {here} too.") from None
    except TicketmailError:
        raise  # the host's TicketMail says itself what is wrong with its settings
    except Exception as error:  # the host's own code may raise anything
        raise _hosts_fault(option, name, error) from error


def _hosts_fault(option: str, named: str, error: Exception) -> UsageError:
    return UsageError(f"{option}: {named} raised {type(error).__name__}: {error}.", remedy="--debug shows where.")


def _from_app(named: str) -> TicketMail:
    from ticketmail.app.facade import TicketMail

    found = load_object(named, option="--app")
    if callable(found) and not isinstance(found, TicketMail):
        try:
            found = found()
        except TicketmailError:
            raise
        except Exception as error:  # the host's own code may raise anything
            raise _hosts_fault("--app", named, error) from error
    if not isinstance(found, TicketMail):
        raise UsageError(f"--app {named} is a {type(found).__name__}.", remedy="Name a TicketMail, or what returns one.")
    return found


def _from_settings(path: str | None) -> TicketMail:
    from ticketmail.app.facade import TicketMail

    return TicketMail(settings=path)


def _user() -> str:
    try:
        return os.environ.get("USER") or getpass.getuser()
    except (KeyError, OSError):  # no such user: a container with a bare uid
        return str(os.getuid())
