"""The grammar of the command line. Only argparse is imported here: commands load when they are named."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ticketmail._version import __version__
from ticketmail.app.cli.errors import UsageError

EXIT_CODES = """exit codes:
  0    well; for `status` and `doctor`: all is well
  1    not quite: a warning, nothing found, or nothing changed
  2    bad: mail does not leave as it should, an error, or wrong usage
  130  interrupted
"""
_DIGITS = 9
_SCOPES = "all, id:UUID[/N], account:X, lane:X, tenant:X, ticket:X, to:ADDR, domain:X or cause:X"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, by an exception."""

    def error(self, message: str) -> NoReturn:
        """As argparse says, but raising UsageError."""
        # "argument COMMAND: ..." in one sentence, the next step after it.
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", remedy=f"See `{self.prog} --help`.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = list(action.choices or ())
        if action.choices is None or value in action.choices:
            return
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(choices)}."
        what = "command" if isinstance(action, argparse._SubParsersAction) else action.dest
        raise UsageError(f"There is no {what} {value!r}.", remedy=hint)


class Commands:
    """Adds commands to a parser. ``run`` is ``module:function`` below ``ticketmail.app.cli``."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str = "command", *, required: bool = True) -> None:
        self._added = parser.add_subparsers(
            dest=dest, metavar="COMMAND", required=required, parser_class=Parser, title="commands"
        )

    def add(self, name: str, run: str, text: str, *parts: Callable[[argparse.ArgumentParser], None]) -> Parser:
        """One command; ``parts`` add its options."""
        made: Parser = self._added.add_parser(name, help=text, description=text)
        _common(made, top=False)
        for part in parts:
            part(made)
        made.set_defaults(run=run)
        return made

    def group(self, name: str, text: str, **default: Any) -> Commands:
        """A command with commands of its own. ``default`` is what it does without one: ``run``, and the options of that."""
        made = self._added.add_parser(name, help=text, description=text)
        _common(made, top=False)
        made.set_defaults(**default)
        return Commands(made, dest=f"{name}_command", required=not default)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line. Raises UsageError; SystemExit for ``--help`` and ``--version``."""
    return build().parse_args(list(argv))


def build() -> Parser:
    """The whole grammar."""
    parser = Parser(
        prog="ticketmail",
        description="Mail that a ticketing system can trust: what waits, why, and until when.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ticketmail {__version__}")
    _common(parser, top=True)
    commands = Commands(parser)
    _look(commands)
    _act(commands)
    _dead(commands)
    _lists(commands)
    _run(commands)
    _inbound(commands)
    _spool(commands)
    return parser


def _common(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """Options that may stand before or after the command. Below the top they leave what was set there alone."""
    default: Any = None if top else argparse.SUPPRESS
    flag: Any = False if top else argparse.SUPPRESS
    group = parser.add_argument_group("everywhere")
    group.add_argument("--app", metavar="MODULE:OBJECT", default=default, help="a TicketMail, or a function that returns one")
    group.add_argument("--settings", metavar="FILE", default=default, help="a TOML file; else ./ticketmail.toml")
    group.add_argument("--json", action="store_true", default=flag, help="for programs")
    group.add_argument("--debug", action="store_true", default=flag, help="tracebacks for errors")


# --- options that many share ------------------------------------------------------------------------------------------------


def _scope_or_all(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scope", metavar="SCOPE", nargs="?", default="all", help=f"{_SCOPES} (default: all)")


def _scope_or_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scope", metavar="SCOPE|ID[/N]", help=f"{_SCOPES}; an id alone is all recipients of that mail")


def _delivery(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("delivery", metavar="ID[/N]", help="a submission's id, and the recipient's number if it has several")


def _since(default: str | None) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--since", metavar="WHEN", default=default, help="2h, or 2026-11-24T10:00+01:00")

    return add


def _limit(default: int) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--limit", metavar="N", type=_positive, default=default, help=f"at most so many (default {default})")

    return add


def _human(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="TEXT", help="why; kept in the history")
    parser.add_argument("--actor", metavar="NAME", help="who acts (default: $TICKETMAIL_ACTOR, else you on this machine)")


def _probe(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("prove one mailbox instead")
    group.add_argument("--probe", metavar="ACCOUNT|URL", help="an account, or smtp://user%%40example.com@host:587")
    group.add_argument("--send-to", metavar="ADDRESS", default="", help="send mails there, too; else nothing is sent")
    group.add_argument(
        "--from", dest="sender", metavar="ADDRESS", action="append", default=[], help="an address to send as (default: the user)"
    )
    group.add_argument(
        "--answers", metavar="MAILBOX", default="", help="send two mails to this mailbox of the settings: which marks come back?"
    )
    group.add_argument("--connections", metavar="N", type=_positive, default=10, help="open at most so many (default 10)")
    group.add_argument("--rate", metavar="N", type=_positive, default=0, help="send N mails as fast as the server takes them")
    group.add_argument("--ca-file", metavar="FILE", default="", help="who signed the server's certificate, for a URL")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {10**_DIGITS - 1}")
    return int(text)


def _option(*names: str, **how: Any) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(*names, **how)

    return add


# --- commands ---------------------------------------------------------------------------------------------------------------


def _look(commands: Commands) -> None:
    commands.add("status", "looking:status", "is mail leaving? One screen; the exit code is the answer")
    commands.add(
        "why",
        "looking:why",
        "why is it not sent, and when will it be?",
        _option("what", metavar="ID|TICKET|KEY", help="a submission's id, a ticket, a key, or a scope"),
        _option("--tenant", metavar="X", default="", help="whose key it is"),
        _limit(20),
    )
    commands.add(
        "eta",
        "foretelling:eta",
        "when will it leave? For all, lane:X or account:X: the last that is due",
        _option("what", metavar="ID|TICKET|KEY|SCOPE", help="a submission's id, a ticket, a key, or a scope"),
        _option("--tenant", metavar="X", default="", help="whose key it is"),
        _limit(20),
    )
    once = _option("--once", action="store_true", help="one look, then end")
    every = _option("--every", metavar="SECONDS", type=_positive, default=2, help="how often (default 2)")
    commands.add("top", "topping:top", "what happens now, on a screen that renews itself", once, every)
    account = _option("account", metavar="ACCOUNT", nargs="?", help="(default: all)")
    commands.add("limits", "limits:limits", "used, allowed, where each figure comes from, when there is room again", account)
    state = _option("--state", metavar="STATE", action="append", default=[], help="queued, sent, dead, ...; may be repeated")
    commands.add("find", "looking:find", "list mail, newest first", _scope_or_id, state, _since(None), _limit(100))
    everything = _option("--all", dest="everything", action="store_true", help="single mails too, not only decisions")
    commands.add("log", "looking:log", "what changed: accounts, workers, pauses, people", _since("24h"), everything, _limit(1000))
    past = _option("--all", dest="everything", action="store_true", help="past ones too")
    commands.add("workers", "looking:workers", "who sends", past)
    commands.add("doctor", "doctoring:doctor", "check settings, spool, clock, disk, accounts, routes, alarms, workers", _probe)
    prefix = _option("prefix", nargs="?", default="")
    commands.add("settings", "looking:settings", "each setting, its value and where it came from", prefix)


def _act(commands: Commands) -> None:
    commands.add("cancel", "acting:cancel", "cancel what has not begun", _scope_or_id, _human)
    until = _option("--until", metavar="WHEN", help="2h, or 2026-11-24T10:00+01:00 (default: until resumed)")
    commands.add("pause", "acting:pause", "send nothing of a scope", _scope_or_id, until, _human)
    commands.add("resume", "acting:resume", "end a pause", _scope_or_id, _human)
    yes = _option("--yes", action="store_true", help="do not ask")
    address = _option("address", metavar="ADDRESS")
    commands.add("erase", "acting:erase", "forget a person: bodies, names, events", address, yes, _human)
    hold = _option("--hold", action="store_true", help="pause everything first, for review")
    commands.add("adopt", "acting:adopt", "take a copied or restored spool over", _option("site", metavar="SITE"), hold, _human)


def _dead(commands: Commands) -> None:
    dead = commands.group("dead", "dead letters: read, correct, send again, put away", run="dead:listed", scope="all", limit=50)
    dead.add("list", "dead:listed", "dead letters by cause", _scope_or_all, _limit(50))
    dead.add("show", "dead:show", "one mail: what happened, and what it says", _delivery)
    dead.add("edit", "dead:edit", "correct the recipient", _delivery, _option("--to", metavar="ADDRESS", required=True), _human)
    dead.add(
        "replay",
        "dead:replay",
        "send again: a scope (cause:X), one mail (ID), or one recipient of it (ID/N)",
        _scope_or_id,
        _option("--pace", metavar="N/s", help="so many mails a second, such as 5/s (default: at once)"),
        _option("--lifetime", metavar="TIME", help="the new deadline, from its turn on (default: its lane's)"),
        _option("--state", metavar="STATE", action="append", default=[], help="dead (default), failed, expired, ..."),
        _option("--limit", metavar="N", type=_positive, default=None, help="at most so many"),
        _option("--dry-run", action="store_true", help="say what would be sent again"),
        _human,
    )
    dead.add("dismiss", "dead:dismiss", "read, and put away", _scope_or_id, _human)
    parked = commands.group("parked", "jobs from the broker that could not be taken in", run="parked:listed", limit=50)
    parked.add("list", "parked:listed", "which, and why", _limit(50))
    parked.add("show", "parked:show", "one of them, with its bytes", _option("job", metavar="ID"))
    jobs = _option("jobs", metavar="ID", nargs="+", help="as `parked list` shows them, or `all`")
    unsigned = _option("--unsigned", action="store_true", help="though their signature is missing or wrong: you have read them")
    parked.add("replay", "parked:replay", "take them in again, with the settings of now", jobs, unsigned, _human)
    parked.add("dismiss", "parked:dismiss", "read, and put away", jobs, _human)
    unknowns = commands.group("unknowns", "mail that may or may not have been taken", run="dead:unknowns", limit=100)
    unknowns.add("list", "dead:unknowns", "those that wait for proof or a human", _limit(100))
    sent = _option("--sent", action="store_true", help="it arrived")
    again = _option("--again", action="store_true", help="send it once more")
    unknowns.add("settle", "dead:settle", "say what became of one", _delivery, sent, again, _human)


def _lists(commands: Commands) -> None:
    suppressions = commands.group("suppressions", "addresses we do not write to", run="listing:suppressions", address=None)
    tenant = _option("--tenant", metavar="X", default="", help="for one tenant only")
    address = _option("address", metavar="ADDRESS")
    suppressions.add("list", "listing:suppressions", "who, why, until when", _option("address", metavar="ADDRESS", nargs="?"))
    until = _option("--until", metavar="WHEN", help="2h, 90d, or a time with offset (default: until removed)")
    suppressions.add("add", "listing:suppress", "do not write to an address", address, tenant, until, _human)
    suppressions.add("remove", "listing:unsuppress", "write to it again", address, tenant, _human)
    accounts = commands.group("accounts", "accounts, and what holds them", run="listing:accounts")
    accounts.add("list", "listing:accounts", "limits in use, breakers, holds")
    name = _option("name", metavar="NAME")
    accounts.add("clear", "listing:clear_account", "it is well again: forget breaker and holds", name, _human)
    events = commands.group("events", "what the host could not be told", run="listing:dead_events", limit=50)
    events.add("dead", "listing:dead_events", "events that the host's handler would not take", _limit(50))
    ids = _option("ids", metavar="EVENT_ID", nargs="*", help="(default: all)")
    events.add("replay", "listing:replay_events", "tell them again", ids)


def _run(commands: Commands) -> None:
    commands.add(
        "submit",
        "handing:submit",
        "hand one mail over, from a script",
        _option("--from", dest="sender", metavar="ADDRESS"),
        _option("--to", metavar="ADDRESS", action="append", default=[]),
        _option("--cc", metavar="ADDRESS", action="append", default=[]),
        _option("--bcc", metavar="ADDRESS", action="append", default=[]),
        _option("--reply-to", metavar="ADDRESS", action="append", default=[]),
        _option("--subject", default=""),
        _option("--text", metavar="TEXT", help="the text; - reads standard input"),
        _option("--html", metavar="FILE", help="a file with the HTML; - reads standard input"),
        _option("--attach", metavar="FILE", action="append", default=[]),
        _option("--raw", action="store_true", help="ready MIME on standard input"),
        _option("--ticket", metavar="X"),
        _option("--lane", metavar="X"),
        _option("--key", metavar="X", help="the same key is sent once"),
        _option("--tenant", metavar="X"),
        _option("--not-before", metavar="WHEN"),
        _option("--deadline", metavar="WHEN"),
    )
    handler = _option("handler", metavar="MODULE:FUNCTION", nargs="?", help="(default: `handler` beside the object of --app)")
    commands.add("listen", "handing:listen", "call the host's handler with each mail event", handler)
    processes = _option("--processes", metavar="N", type=_positive, default=1)
    broker = commands.group("broker", "the road between hosts and mail service", run="roads:show")
    broker.add("show", "roads:show", "does it answer, what waits in queues and outbox")
    broker.add("ensure", "roads:ensure", "make the queues that are missing, and say what there is")
    commands.add("relay", "handing:relay", "bring what waits in the host's outbox or bridge to the broker")
    intake = _option(
        "--intake", metavar="URL", default="", help="take mail in from this broker (default: [broker] of the settings)"
    )
    commands.add("worker", "handing:worker", "send, and take mail in from a broker", processes, intake)
    _receive(commands)
    commands.add("demo", "handing:demo", "500 mails through a limited server, one worker killed, nothing lost")


def _receive(commands: Commands) -> None:
    mailbox = _option("mailbox", metavar="MAILBOX", help="a name in [mailboxes.M]")
    commands.add(
        "pipe",
        "receiving:pipe",
        'take one mail from standard input: for a mail server\'s aliases; exit code 75 is "keep it, and try again"',
        mailbox,
        _option("--to", metavar="ADDRESS", action="append", default=[], help="envelope recipient; may be repeated"),
        _option("--from", dest="sender", metavar="ADDRESS", help="envelope sender"),
    )
    paths = _option("paths", metavar="PATH", nargs="+", help="a maildir, an mbox file, or .eml files")
    commands.add("import", "receiving:import_", "take old mail in; nothing of it may be answered by itself", mailbox, paths)
    inbound = commands.group("inbound", "mail that came in", run="receiving:listed", **_NOT_ASKED)
    filters = (
        _option("--mailbox", metavar="M"),
        _option("--ticket", metavar="X"),
        _option("--state", metavar="STATE", action="append", default=[], help="stored, done, duplicate or dead"),
    )
    inbound.add("list", "receiving:listed", "newest first", *filters, _since(None), _limit(50))
    ident = _option("id", metavar="ID", help="the mail's id, from the list or an event")
    raw = _option("--raw", action="store_true", help="its own bytes, nothing else")
    inbound.add("show", "receiving:show", "one mail: where it came from, what it became, and why", ident, raw)
    inbound.add("retry", "receiving:retry", "read a dead one again; its new event replaces the old one", ident)
    dry = _option("--dry-run", action="store_true", help="only show what differs (the one mode there is)")
    inbound.add(
        "reparse", "receiving:reparse", "read stored mail by today's rules, and show what differs", dry, *filters[:1],
        _since("7d"), _limit(1000),
    )  # fmt: skip
    box = commands.group("mailbox", "sources of incoming mail")
    box.add("check", "receiving:check", "is all that the server has in the ledger? The balance of each mailbox", _option(
        "mailbox", metavar="MAILBOX", nargs="?", help="(default: all)"
    ))  # fmt: skip


_NOT_ASKED: dict[str, Any] = {"mailbox": None, "ticket": None, "state": [], "since": None, "limit": 50}


def _inbound(commands: Commands) -> None:
    files = _option("files", metavar="FILE", nargs="*", help="a mail, a folder of them, or - for one on standard input")
    listed = _option("--files-from", metavar="FILE", help="a list of names, one a line; - reads it from standard input")
    check = _option("--check-signatures", action="store_true", help="check DKIM and ARC, asking the DNS (extra dkim)")
    dns = _option("--dns", metavar="HOST[:PORT]", action="append", default=[], help="ask this name server, not the machine's")
    about = "what would become of a mail, and why; changes nothing"
    commands.add("inspect", "inspecting:inspect", about, files, listed, check, dns)


def _spool(commands: Commands) -> None:
    db = commands.group("db", "the spool's tables")
    sql = _option("--sql", action="store_true", help="only print the SQL")
    check = _option("--check", action="store_true", help="only check; for CI")
    db.add("upgrade", "tables:upgrade", "make or upgrade the tables, online", sql, check)
    db.add("check", "tables:check", "what is wrong with tables and database")
    db.add("ddl", "tables:ddl", "the SQL of the tables", _option("--sql", action="store_true", help="(it always is)"))
    bodies = _option("--bodies", action="store_true", help="bodies too, base64")
    db.add("export", "tables:export", "all mail with its history, a JSON object a line", _scope_or_all, bodies, _since(None))
    db.add("drop", "tables:drop", "drop all our tables", _option("--yes", action="store_true", help="yes, all of it"))
