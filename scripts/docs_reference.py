"""Write docs/reference/*.md, but the glossary, from the code. `--check` only compares."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import docs_content
from docs_reading import reading
from docs_texts import MEANINGS, REMEDIES, TABLES
from pydantic import BaseModel, SecretStr

from ticketmail import Message, TicketMail
from ticketmail.adapters.kombu.amqp import Amqp
from ticketmail.adapters.kombu.kafka import Kafka
from ticketmail.adapters.kombu.other import Other
from ticketmail.adapters.kombu.redis import Redis
from ticketmail.adapters.kombu.sqs import Sqs
from ticketmail.adapters.memory import broker as memory_broker
from ticketmail.adapters.null import NullGateway
from ticketmail.adapters.prometheus import LimitGauges, SpoolGauges
from ticketmail.adapters.resend.api import Resend
from ticketmail.adapters.resend.profile import RESEND_API
from ticketmail.adapters.sendgrid.api import SendGrid
from ticketmail.adapters.sendgrid.profile import SENDGRID_API
from ticketmail.adapters.ses.api import Ses
from ticketmail.adapters.ses.profile import SES_API
from ticketmail.adapters.smtp.profiles import PROFILES
from ticketmail.adapters.smtp.target import RFC_TIMEOUTS_S
from ticketmail.app.cli.parsing import build as make_parser
from ticketmail.app.settings import Settings
from ticketmail.app.worker import Worker
from ticketmail.domain import errors
from ticketmail.domain.events import MailEvent
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.lanes import SHIPPED
from ticketmail.domain.outbound.profile import Profile
from ticketmail.domain.outbound.retry import DEFAULTS
from ticketmail.domain.ports.queueing import BrokerCapabilities
from ticketmail.domain.ports.sending import GatewayCapabilities
from ticketmail.domain.units import format_duration

os.environ["COLUMNS"] = "100"  # argparse wraps by it
_USAGE_WORD = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\S*|\S+")
REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Written by scripts/docs_reference.py from the code. -->\n"
#: What the worker counts as it happens: name, labels, meaning.
COUNTED = (
    ("sent_total", "account, lane", "counter: recipients whose mail was taken"),
    ("faults_total", "account, cause", "counter: outcomes that were not Taken, by [cause](causes.md)"),
    ("jobs_total", "outcome", "counter: jobs taken from the broker: `accepted`, `repeated`, `done`, `parked`"),
    ("intake_lag_seconds", "", "histogram: from the host's hand-over to the spool, the oldest job of each batch"),
    ("relay_published_total", "", "counter, of `ticketmail relay`: jobs that the broker has confirmed"),
    ("relay_waiting", "", "gauge, of `ticketmail relay`: jobs in the outbox or bridge"),
    ("relay_oldest_seconds", "", "gauge, of `ticketmail relay`: age of the oldest of them"),
    ("relay_awaited", "", "gauge, of `ticketmail relay`: jobs published that wait for the mail service's word"),
    ("intake_up", "", "gauge: 1 while mail is taken in"),
    ("received_total", "state", "counter: incoming mails: `done`, `duplicates`, `dead`, `failed` (comes again)"),
    ("mailbox_up", "mailbox", "gauge, of the worker that watches it: 1 while the mailbox can be read"),
    ("broker_jobs_waiting", "queue", "gauge: jobs that wait at the broker"),
    ("delivery_seconds", "account", "histogram: one claimed mail, from waiting for a connection to the recorded outcome"),
)


def pages() -> dict[str, str]:
    """Page name -> text."""
    made = {"settings": settings, "cli": cli, "errors": error_page, "causes": causes, "events": events, "metrics": metrics}
    made["profiles"] = profile_page
    made["brokers"] = broker_page
    made["gateways"] = gateway_page
    made["content"] = docs_content.page
    made["reading"] = reading
    return {name: make() for name, make in made.items()}


# --- settings ---------------------------------------------------------------------------------------------------------------


def settings() -> str:
    """Every setting with its type, default and meaning; then the shipped values that settings replace."""
    lines = ["# Settings\n", NOTE, "Code > environment (`TICKETMAIL_ACCOUNTS__SUPPORT__URL`) > file > default.\n"]
    lines += ["The file is `--settings`, `$TICKETMAIL_SETTINGS` or `./ticketmail.toml`. `${NAME}` in it is taken from the"]
    lines += ["environment, a secret may be `file:/run/secrets/name`. `ticketmail settings` shows each value and its source.\n"]
    lines += ["A *duration* is text with a unit (`30s`, `5m`, `2h`, `14d`) or seconds; a *size* is text (`25MiB`) or bytes.\n"]
    _table(Settings, lines, [])
    lines += ["## Shipped lanes\n", "| lane | weight | deadline | unknown | ends as |", "|---|---|---|---|---|"]
    lines += [
        f"| `{lane.name}` | {lane.weight} | {format_duration(lane.deadline_s)} | {lane.unknown} | {lane.ends_as.value} |"
        for lane in SHIPPED.values()
    ]
    lines += ["\n## Shipped retry schedules\n", "The last wait repeats until the deadline; each is the wait ± 20 %.\n"]
    lines += ["| class | waits | causes |", "|---|---|---|"]
    lines += [f"| `{kind}` | {schedule} | {_causes_of(kind)} |" for kind, schedule in DEFAULTS.items()]
    lines += ["\n## Shipped SMTP time-outs\n", "| phase | seconds |", "|---|---|"]
    lines += [f"| `{phase.value}` | {seconds:g} |" for phase, seconds in RFC_TIMEOUTS_S.items()]
    return "\n".join(lines) + "\n"


def _causes_of(kind: str) -> str:
    named = ", ".join(f"`{one.code}`" for one in CAUSES.values() if one.retry == kind)
    return "every other cause that is retried" if kind == "transient" else named


def _table(model: type[BaseModel], lines: list[str], seen: list[type[BaseModel]]) -> None:
    seen.append(model)
    lines += [
        f"## {model.__name__}\n",
        f"{_plain(TABLES.get(model.__name__) or model.__doc__)}\n",
        "| name | type | default | meaning |",
        "|---|---|---|---|",
    ]
    meant = meanings(model)
    for name, field in model.model_fields.items():
        lines.append(f"| `{name}` | {_type(model, name)} | {_default(field)} | {meant[name]} |")
    lines.append("")
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            if inner not in seen and inner.__module__.startswith("ticketmail.app"):
                _table(inner, lines, seen)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> meaning: what ``docs_texts`` says, else its ``#:`` comment in the code."""
    commented = dict(re.findall(r"^    (\w+): .*#: (.+)$", inspect.getsource(model), re.M))
    return {name: MEANINGS.get(f"{model.__name__}.{name}") or commented[name] for name in model.model_fields}


def unused_texts() -> list[str]:
    """Keys of ``docs_texts`` that name nothing in the code any more."""
    models = _all_models(Settings)
    names = {f"{model.__name__}.{name}" for model in models for name in model.model_fields}
    codes = {cls.code for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, errors.TicketmailError)}
    return [*({*MEANINGS} - names), *({*REMEDIES} - codes), *({*TABLES} - {model.__name__ for model in models})]


def _all_models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        found |= {deep for inner in _models(field.annotation) for deep in _all_models(inner)}
    return found


def _type(model: type[BaseModel], name: str) -> str:
    """As the code writes it, in words of the page."""
    found = re.search(rf"^    {name}: (.+?)(?: = .*)?(?:  #.*)?$", inspect.getsource(model), re.M)
    text = found[1] if found else ""
    if text.startswith("dict["):
        return "table"
    if "Literal[" in text:
        values = re.search(r"Literal\[(.+?)\]", text)
        return ", ".join(f"`{one.strip(chr(34))}`" for one in values[1].split(", ")) if values else ""
    words = {"tuple": "list", "Texts": "list", "Addresses": "list", "Duration": "duration", "Days": "duration", "Size": "size"}
    words |= {"bool": "true, false", "int": "number", "float": "number", "OptionalAddress": "address", "Settings": "table"}
    return next((word for part, word in words.items() if part in text), "text")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in get_args(annotation) for model in _models(one)]


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "required" if field.is_required() else f"`{value!r}`" if value or value is False else "-"


# --- profiles ---------------------------------------------------------------------------------------------------------------


def profile_page() -> str:
    """Every shipped profile: its figures with their sources, and for which hosts it is taken unasked."""
    lines = ["# Profiles\n", NOTE]
    lines += [
        "What vendors say of their limits. `profile = " + '"office365"' + "` names one; unset, an account gets that of its host;"
    ]
    lines += [
        "`profile = "
        + '"none"'
        + "` turns it off. [Settings](settings.md) win over it, field by field, and a window over the one of the"
    ]
    lines += [
        "same unit and period. `ticketmail limits` says where each figure came from. A figure stands here if it holds for every"
    ]
    lines += ["customer; what a plan or a sandbox sets is a note. A package of your own adds profiles by the entry point"]
    lines += ["`ticketmail.profiles` (name = a `ticketmail.domain.outbound.profile.Profile`).\n"]
    for one in (*PROFILES, SENDGRID_API, SES_API, RESEND_API):
        lines += [f"## {one.name}\n", f"{one.title}."]
        lines += [f"Taken for {', '.join(f'`{host}`' for host in one.hosts)}." if one.hosts else "Only where settings name it."]
        lines += [one.note] if one.note else []
        lines += _figures(one)
    return "\n".join(lines).rstrip() + "\n"


def _figures(one: Profile) -> list[str]:
    rows = [(f"`{figure.value}`", "limits", figure) for figure in one.windows]
    for setting, figure in (
        ("connections", one.connections),
        ("messages_per_connection", one.messages_per_connection),
        ("max_recipients", one.max_recipients),
        ("max_size", one.max_size_bytes),
    ):
        if figure is not None:
            shown = f"{int(figure.value) // 2**20}MiB" if setting == "max_size" else figure.value
            rows.append((f"`{shown}`", setting, figure))
    if not rows:
        return [""]
    table = [f"| `{setting}` | {value} | {figure.source} | {figure.read} |" for value, setting, figure in rows]
    return ["", "| setting | figure | source | read |", "|---|---|---|---|", *table, ""]


# --- the other pages --------------------------------------------------------------------------------------------------------


def cli() -> str:
    """`--help` of each command, and of the commands below it."""
    parser = make_parser()
    lines = ["# Commands\n", NOTE, "```text", _help(parser), "```\n"]
    for level, name, sub in _commands(parser, 2, ""):
        lines += [f"{'#' * level} {name}\n", "```text", _help(sub), "```\n"]
    return "\n".join(lines) + "\n"


def _help(parser: argparse.ArgumentParser) -> str:
    """As argparse says it, but for the lines of the usage: each release of Python breaks them in its own way."""
    usage, _, rest = parser.format_help().rstrip().partition("\n\n")
    words = _USAGE_WORD.findall(" ".join(usage.split()))
    whole = " ".join(word.replace(" ", "\0") for word in words)  # an option and its value stay together
    indent = " " * len(f"usage: {parser.prog} ")
    lines = textwrap.wrap(whole, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, "", rest]).replace("\0", " ")


def _commands(parser: argparse.ArgumentParser, level: int, before: str) -> Iterator[tuple[int, str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield level, f"{before}{name}", sub
                yield from _commands(sub, level + 1, f"{before}{name} ")


def error_page() -> str:
    """The tree, then code by code."""
    tree = inspect.cleandoc(errors.__doc__ or "")
    lines = ["# Errors\n", NOTE, "```text", tree, "```\n", "| code | error | cause | remedy |", "|---|---|---|---|"]
    for name, cls in vars(errors).items():
        if inspect.isclass(cls) and issubclass(cls, errors.TicketmailError):
            lines.append(f"| `{cls.code}` | `{name}` | {_plain(cls.__doc__)} | {REMEDIES[cls.code]} |")
    return "\n".join(lines) + "\n"


def broker_page() -> str:
    """What each broker can do, as its adapter says."""
    found: dict[str, tuple[BrokerCapabilities, str]] = {
        "RabbitMQ `amqp://` `amqps://`": (Amqp.capabilities, "rabbitmq"),
        "Redis `redis://` `rediss://`": (Redis.capabilities, "redis"),
        "Amazon SQS `sqs://`": (Sqs.capabilities, "sqs"),
        "Apache Kafka `confluentkafka://`": (Kafka.capabilities, "kafka"),
        "memory `memory://`": (memory_broker.CAPABILITIES, ""),
        "any other of kombu": (Other.capabilities, "rabbitmq"),
    }
    rows: dict[str, Callable[[BrokerCapabilities], str]] = {
        "keeps what it confirmed until it is acknowledged, whatever is killed": lambda one: _yes(one.at_least_once),
        "also when it restarts itself": lambda one: _yes(one.survives_restart),
        "largest job": lambda one: f"{one.max_job_bytes:,} bytes" if one.max_job_bytes else "no limit known",
        "jobs of a dead worker come back": lambda one: "at once" if one.redelivers_at_once else "after their lease",
        "a full queue refuses": lambda one: _yes(one.bounded),
        "between processes": lambda one: _yes(one.between_processes),
        "also": lambda one: one.note or "-",
    }
    lines = ["# Brokers\n", NOTE, "What each means for you: [choosing a road](../explanation/choosing-a-road.md).\n"]
    lines += [f"| | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {what} | {' | '.join(say(one) for one, _ in found.values())} |" for what, say in rows.items()]
    lines += [f"| extra | {' | '.join(f'`{extra}`' if extra else '-' for _, extra in found.values())} |"]
    return "\n".join(lines) + "\n"


def gateway_page() -> str:
    """What each gateway can do, as its adapter says."""
    found: dict[str, tuple[GatewayCapabilities, str]] = {
        "SMTP `smtp://` `smtps://`": (GatewayCapabilities(), "worker"),
        "SendGrid `sendgrid://`": (SendGrid.capabilities, "sendgrid"),
        "Amazon SES `ses://`": (Ses.capabilities, "ses"),
        "Resend `resend://`": (Resend.capabilities, "resend"),
        "nobody `null://` `file:///`": (NullGateway().capabilities, ""),
    }
    rows: dict[str, Callable[[GatewayCapabilities], str]] = {
        "takes the mail as we render it": lambda one: _yes(one.raw),
        "an answer for each recipient": lambda one: _yes(one.per_recipient),
        "keeps our Message-ID": lambda one: _yes(one.keeps_message_id),
        "bounces return to our return path": lambda one: _yes(one.keeps_return_path),
        "sending the same key twice makes one mail": lambda one: _yes(one.idempotency_key),
        "can be asked what it still takes": lambda one: _yes(one.tells_allowance),
        "recipients at once": lambda one: f"{one.max_recipients:,}" if one.max_recipients else "the server says",
        "largest mail": lambda one: f"{one.max_size_bytes // 2**20}MiB" if one.max_size_bytes else "the server says",
        "mails somebody": lambda one: _yes(one.network),
    }
    lines = ["# Gateways\n", NOTE, "What takes mail for the world. [A provider's API](../how-to/providers.md), step by step.\n"]
    lines += [f"| | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {what} | {' | '.join(say(one) for one, _ in found.values())} |" for what, say in rows.items()]
    lines += [f"| extra | {' | '.join(f'`{extra}`' if extra else '-' for _, extra in found.values())} |"]
    return "\n".join(lines) + "\n"


def _yes(fact: bool) -> str:
    return "yes" if fact else "**no**"


def causes() -> str:
    """What ends or delays a delivery."""
    lines = ["# Causes\n", NOTE, "The cause of a delivery's last fault, as `dead list`, events and metrics show it.\n"]
    lines += ["| cause | what happened | what a person can do |", "|---|---|---|"]
    lines += [f"| `{one.code}` | {one.sentence} | {one.remedy or '-'} |" for one in CAUSES.values()]
    return "\n".join(lines) + "\n"


def events() -> str:
    """What the host's handler gets."""
    lines = ["# Events\n", NOTE, "At least once, with a stable `event_id`; `TicketMail.first_time` makes it exactly once.\n"]
    for cls in get_args(get_args(MailEvent)[0]):
        fields = ", ".join(f"`{name}`" for name in cls.model_fields)
        lines += [f"## {cls.__name__}\n", f"{_plain(cls.__doc__)}\n", f"Fields: {fields}.\n"]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """What the worker counts, and what a scrape of a small spool shows."""
    lines = [
        "# Metrics\n",
        NOTE,
        "With the extra `prometheus` and `[worker] http` set, `/metrics` shows, prefixed `ticketmail_`:\n",
    ]
    lines += [
        "| name | labels | meaning |",
        "|---|---|---|",
        *(f"| `{name}` | {labels} | {text} |" for name, labels, text in COUNTED),
    ]
    with TemporaryDirectory() as folder, _used_spool(folder) as mail:
        for family in SpoolGauges(mail.reading).collect():
            labels = ", ".join(sorted({label for sample in family.samples for label in sample.labels})) or _label(family.name)
            lines.append(f"| `{family.name.removeprefix('ticketmail_')}` | {labels} | gauge: {family.documentation} |")
        for family in LimitGauges(mail.reading, lambda: {"nobody": AccountLimits.parse(["10/min"])}).collect():
            labels = ", ".join(family._labelnames)
            lines.append(f"| `{family.name.removeprefix('ticketmail_')}` | {labels} | gauge: {family.documentation} |")
    lines += ["\nGauges are read at most every 5 s. While the spool cannot be read only `spool_up 0` is told."]
    lines += ["`spool_free_bytes` and `spool_size_bytes` come where the spool knows them."]
    return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    return "lane" if name.removeprefix("ticketmail_") in ("queued", "due", "oldest_due_seconds") else "-"


@contextmanager
def _used_spool(folder: str) -> Iterator[TicketMail]:
    """A spool on disk, of which every gauge has something to tell: a mail was sent."""
    with TicketMail(settings={"spool": f"sqlite:///{folder}/spool.db", "accounts": {"nobody": "null://"}}) as mail:
        mail.submit(Message(sender="help@example.com", to="ann@example.net", subject="-", text="-"))
        asyncio.run(_send_all(mail))
        yield mail


async def _send_all(mail: TicketMail) -> None:
    worker = Worker(mail)
    running = asyncio.ensure_future(worker.run())
    while mail.reading.overview().last_sent_us is None and not running.done():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    worker.drain()
    await running


def _plain(doc: str | None) -> str:
    """A docstring on one line, in Markdown, fit for a table."""
    return " ".join((doc or "").split()).replace("``", "`").replace("|", "/")


def main() -> int:
    """Write, or with `--check` compare."""
    stale = []
    for name, text in pages().items():
        path = REFERENCE / f"{name}.md"
        if "--check" in sys.argv:
            stale += [] if path.exists() and path.read_text() == text else [path.name]
        else:
            path.write_text(text)
    unused = unused_texts()
    if unused:
        print(f"scripts/docs_texts.py names what is gone: {', '.join(unused)}")
    if stale:
        print(f"out of date: {', '.join(stale)}; run scripts/docs_reference.py")
    return 1 if stale or unused else 0


if __name__ == "__main__":
    sys.exit(main())
