"""Write docs/reference/{settings,cli,errors,causes,events}.md from the code. `--check` only says whether they are up to date."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from ticketmail.app.cli.parsing import build as make_parser
from ticketmail.app.settings import Settings
from ticketmail.domain import errors
from ticketmail.domain.events import MailEvent
from ticketmail.domain.outbound.causes import CAUSES

os.environ["COLUMNS"] = "100"  # argparse wraps by it
REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Written by scripts/docs_reference.py from the code. -->\n"


def pages() -> dict[str, str]:
    """Page name -> text."""
    return {"settings": settings(), "cli": cli(), "errors": error_page(), "causes": causes(), "events": events()}


def settings() -> str:
    """Every setting with its type and default."""
    lines = ["# Settings\n", NOTE, "Code > environment (`TICKETMAIL_ACCOUNTS__SUPPORT__URL`) > file > default.\n"]
    lines += ["Durations are text with a unit (`30s`, `5m`, `2h`, `14d`) or seconds; sizes are text (`25MiB`) or bytes.\n"]
    seen: list[type[BaseModel]] = []
    _table(Settings, lines, seen)
    return "\n".join(lines) + "\n"


def _table(model: type[BaseModel], lines: list[str], seen: list[type[BaseModel]]) -> None:
    seen.append(model)
    lines += [f"## {model.__name__}\n", f"{inspect.cleandoc(model.__doc__ or '')}\n", "| name | default |", "|---|---|"]
    lines += [f"| `{name}` | `{_default(field)}` |" for name, field in model.model_fields.items()]
    lines.append("")
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            if inner not in seen and inner.__module__.startswith("ticketmail.app"):
                _table(inner, lines, seen)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in get_args(annotation) for model in _models(one)]


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, SecretStr):
        return repr(value.get_secret_value())
    return "required" if field.is_required() else repr(value)


def cli() -> str:
    """`--help` of each command."""
    parser = make_parser()
    lines = ["# Commands\n", NOTE, "```text", parser.format_help().rstrip(), "```\n"]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                lines += [f"## {name}\n", "```text", sub.format_help().rstrip(), "```\n"]
    return "\n".join(lines) + "\n"


def error_page() -> str:
    """The tree, then code by code."""
    tree = inspect.cleandoc(errors.__doc__ or "")
    lines = ["# Errors\n", NOTE, "```text", tree, "```\n", "| code | error | meaning |", "|---|---|---|"]
    for name, cls in vars(errors).items():
        if inspect.isclass(cls) and issubclass(cls, errors.TicketmailError):
            lines.append(f"| `{cls.code}` | `{name}` | {' '.join((cls.__doc__ or '').split()).replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def causes() -> str:
    """What ends or delays a delivery."""
    lines = ["# Causes\n", NOTE, "The cause of a delivery's last fault, as `dead list`, events and metrics show it.\n"]
    lines += ["| cause | what happened | what a person can do |", "|---|---|---|"]
    lines += [f"| `{one.code}` | {one.sentence} | {one.remedy} |" for one in CAUSES.values()]
    return "\n".join(lines) + "\n"


def events() -> str:
    """What the host's handler gets."""
    lines = ["# Events\n", NOTE, "At least once, with a stable `event_id`; `TicketMail.first_time` makes it exactly once.\n"]
    for cls in get_args(get_args(MailEvent)[0]):
        fields = ", ".join(f"`{name}`" for name in cls.model_fields)
        lines += [f"## {cls.__name__}\n", f"{inspect.cleandoc(cls.__doc__ or '')}\n", f"Fields: {fields}.\n"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write, or with `--check` compare."""
    stale = []
    for name, text in pages().items():
        path = REFERENCE / f"{name}.md"
        if "--check" in sys.argv:
            stale += [] if path.exists() and path.read_text() == text else [path.name]
        else:
            path.write_text(text)
    if stale:
        print(f"out of date: {', '.join(stale)}; run scripts/docs_reference.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
