"""Commands that hand over, tell and send: submit, listen, worker, relay, demo."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ticketmail.app.cli import OK
from ticketmail.app.cli.context import Context, load_object
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.moments import aware, future_us
from ticketmail.domain.message import Message


def submit(context: Context) -> int:
    """One mail. Prints its id."""
    args = context.args
    limit = context.mail.settings.max_size
    message = Message(raw=_standard_input(limit), **_addresses(args)) if args.raw else _written(args, limit)
    names: dict[str, Any] = {name: getattr(args, name) for name in ("ticket", "lane", "key", "tenant")}
    for name, option in _TIMES:
        text = getattr(args, name)
        names[name] = _time(context, text, option) if text else None
    if context.out.as_json:
        _look_ahead(context)
    receipt = context.mail.submit(message, **names)
    if context.out.as_json:
        context.out.json(receipt)
    else:
        again = "" if receipt.new else " (this key was handed over before; nothing new)"
        context.out.line(f"{receipt.submission_id}{again}")
    return OK


def _look_ahead(context: Context) -> None:
    """This process hands over one mail and ends: it takes the look that its receipt's ETA comes from."""
    from ticketmail.app.usecases.eta import Foresight

    if context.mail.settings.by_broker:
        return
    context.mail.injector.get(Foresight).look()


_TIMES = (("not_before", "--not-before"), ("deadline", "--deadline"))


def _time(context: Context, text: str, option: str) -> datetime:
    return aware(future_us(text, context.times.now_us, option=option))


def _addresses(args: Any) -> dict[str, Any]:
    """Who it is from and to, as far as it was said: with --raw the MIME's own header says the rest."""
    said = {
        "sender": args.sender,
        "to": args.to,
        "cc": args.cc,
        "bcc": args.bcc,
        "reply_to": args.reply_to,
        "subject": args.subject,
    }
    return {name: value for name, value in said.items() if value}


def _written(args: Any, limit: int) -> Message:
    from ticketmail.app.attachments import attach

    if args.text == "-" and args.html == "-":
        raise UsageError("--text - and --html - both read standard input.", remedy="Give a file for one of them.")
    if args.text is None and args.html is None and not args.attach and (args.sender or args.to):
        raise UsageError("There is nothing to send.", remedy="Add --text TEXT, --text - to read standard input, or --html FILE.")
    text = _standard_input(limit).decode("utf-8", "replace") if args.text == "-" else args.text
    html = None if args.html is None else _html(args.html, limit)
    attachments = tuple(attach(path, max_bytes=limit) for path in args.attach)
    return Message(text=text, html=html, attachments=attachments, **_addresses(args))


def _html(path: str, limit: int) -> str:
    if path == "-":
        return _standard_input(limit).decode("utf-8", "replace")
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--html: cannot read {path}: {error}.", remedy="Name a UTF-8 file.") from None


def _standard_input(limit: int) -> bytes:
    """At most ``limit`` bytes and one: what is too large is refused without being read to its end."""
    if sys.stdin.isatty():
        raise UsageError("Standard input is your terminal.", remedy="Pipe the text in: ... | ticketmail submit ...")
    return sys.stdin.buffer.read(limit + 1)


def listen(context: Context) -> int:
    """Until SIGTERM or SIGINT."""
    named = context.args.handler
    handler = load_object(named, option="listen") if named else _beside_app(context)
    if not callable(handler):
        raise UsageError(f"The handler is a {type(handler).__name__}, which cannot be called.", remedy="Name a function.")
    _log(context)
    with _ending() as stop:
        context.mail.listen(handler, stop=stop)
    return OK


def _beside_app(context: Context) -> Any:
    app = context.args.app or os.environ.get("TICKETMAIL_APP")
    if not app:
        raise UsageError(
            "listen needs the host's handler.", remedy="`ticketmail --app desk.mail:mail listen desk.mail:on_event`."
        )
    return load_object(f"{app.partition(':')[0]}:handler", option="listen")


@contextmanager
def _ending() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, so that the handler's last call ends in order."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def worker(context: Context) -> int:
    """Send, until SIGTERM."""
    from ticketmail.app.worker import run_worker

    _log(context)
    return int(run_worker(context.mail, processes=context.args.processes, intake_url=context.args.intake) or OK)


def relay(context: Context) -> int:
    """Until SIGTERM or SIGINT."""
    from ticketmail.app.relaying import run_relay

    _log(context)
    with _ending() as stop:
        run_relay(context.mail, stop)
    return OK


def _log(context: Context) -> None:
    """Commands that go on say what they do to standard error, and never a secret."""
    from ticketmail.app.logging import secrets_of, set_up

    set_up(level=os.environ.get("TICKETMAIL_LOG_LEVEL", "INFO"), secrets=secrets_of(context.mail.settings))


def demo(context: Context) -> int:
    """See it work, on this machine alone."""
    from ticketmail.app.cli.demo import run_demo

    return int(run_demo(context.out) or OK)
