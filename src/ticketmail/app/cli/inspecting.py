"""``ticketmail inspect``: what would become of any mail, with the evidence. Opens no spool, changes nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ticketmail.app.cli.errors import UsageError

if TYPE_CHECKING:
    from ticketmail.app.cli.context import Context
    from ticketmail.domain.inbound.mail import ParsedMail
    from ticketmail.domain.ports.receiving import SignatureCheck

SHOWN: Final = 400  #: characters of a text
_BODIES: Final = {".txt": "text", ".html": "html", ".htm": "html"}


def inspect(context: Context) -> int:
    """One block of lines, or one JSON line, for each file. Exit code 1 if one of them cannot be opened."""
    failed = False
    checker = _checker(context)
    _told(b"", "mail")  # what is loaded at first use counts for no file
    for name, path in _files(context.args.files, context.args.files_from):
        began = time.perf_counter()
        try:
            raw = sys.stdin.buffer.read() if name == "-" else path.read_bytes()
        except OSError as error:
            failed = True
            _failed(context, name, error)
            continue
        told = _told(raw, _BODIES.get(path.suffix.lower(), "mail"))
        if checker is not None:
            told |= _signed(raw, checker)
        told = {"file": name, "ok": True, **told, "seconds": round(time.perf_counter() - began, 4)}
        context.out.json_line(told) if context.out.as_json else _show(context, told)
    if checker is not None:
        checker.close()
    return 1 if failed else 0


def _checker(context: Context) -> SignatureCheck | None:
    if not context.args.check_signatures:
        return None
    try:
        from ticketmail.adapters.dkim import Checker
    except ImportError as error:
        from ticketmail.app.plugins import missing_extra

        raise missing_extra(error, "--check-signatures") from error
    return Checker(context.args.dns)


def _signed(raw: bytes, checker: SignatureCheck) -> dict[str, Any]:
    """What the signatures are worth, and whether one of them proves its author. Seals count in no mailbox's name here."""
    from ticketmail.adapters.mime.reading import parse
    from ticketmail.domain.inbound.authentication import vouched
    from ticketmail.domain.inbound.participants import author_key

    mail = parse(raw)
    senders = list(mail.fields("from"))
    found = checker(raw, senders[0].raw) if len(senders) == 1 else ()
    domain = author_key(mail).rpartition("@")[2]
    proven = vouched(found, (), domain).covers(domain)
    return {"signatures": [one.model_dump() for one in found], "author_proven": proven}


def _told(raw: bytes, what: str) -> dict[str, Any]:
    from ticketmail.adapters.mime.understanding import taken_apart
    from ticketmail.app.usecases.inspect import described
    from ticketmail.domain.inbound.classify import classify

    mail = _read(raw, what)
    return described(mail, classify(mail), taken_apart(mail))


def _read(raw: bytes, what: str) -> ParsedMail:
    """The mail; or a mail of nothing but the body that the file is."""
    from ticketmail.adapters.mime.reading import body_alone, parse

    return parse(raw) if what == "mail" else body_alone(raw, html=what == "html")


def _files(named: list[str], listed: str | None) -> Iterator[tuple[str, Path]]:
    """Files as they were named; those of folders, in order; those that a list names, one a line."""
    if not named and listed is None:
        raise UsageError("There is nothing to inspect.", remedy="Name files or folders, or `-` for standard input.")
    for name in [*named, *(_listed(listed) if listed is not None else ())]:
        path = Path(name)
        if not path.is_dir():
            yield name, path
            continue
        for one in sorted(path.rglob("*")):
            if one.is_file():
                yield str(one), one


def _listed(listed: str) -> Iterator[str]:
    lines = sys.stdin if listed == "-" else _lines_of(listed)
    return (line.rstrip("\r\n") for line in lines if line.strip())


def _lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"The list {path} cannot be read: {error}.", remedy="Name a text file, one name a line.") from None


def _failed(context: Context, name: str, error: OSError) -> None:
    said = error.strerror or type(error).__name__
    if context.out.as_json:
        context.out.json_line({"file": name, "error": said})
    else:
        context.out.error(f"{name}: {said}")


def _show(context: Context, told: dict[str, Any]) -> None:
    out = context.out
    out.line(f"{told['file']}: {told['class']}", "bold")
    for label, text in _lines(told):
        if text:
            out.line(f"  {label:<12} {text}")
    out.line("")


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "from", ", ".join(f"{one['name']} <{one['address']}>".strip() for one in told["from"])
    yield "subject", told["subject"]
    for one in told["evidence"]:
        yield "because", _because(one)
    for one in told["failures"]:
        yield "recipient", " ".join(filter(None, (one["address"], one["action"], one["status"], one["diagnostic"][:SHOWN])))
    if told["returned"]:
        yield "about", told["returned"]["message_id"] or ""
    for one in told.get("signatures", ()):
        yield "signature", " ".join(filter(None, (one["method"], one["result"], one["domain"], one["reason"])))
    if "author_proven" in told:
        yield "author", "proven by a signature" if told["author_proven"] else "not proven by a signature"
    yield "back on", told["back_on"] or ""
    yield "list", "yes" if told["list"] else ""
    yield (
        "answer",
        "no automatic answer: " + "; ".join(_because(one) for one in told["against"]) if told["against"] else "allowed",
    )
    for one in told["attachments"]:
        yield "file", f"{one['filename'] or '(no name)'}, {one['content_type']}, {one['size']} bytes"
    for one in told["defects"]:
        yield "mended", f"{one['code']} {one['evidence']}".strip()
    yield "says", _beginning(told["visible"])
    for one in told["folded"]:
        yield "folded", f"{one['kind']} ({one['rule']}): {_beginning(one['text'])}"
    yield "odd", ", ".join(told["flags"])


def _because(one: dict[str, str]) -> str:
    return f"{one['rule']} ({one['found']})" if one["found"] else one["rule"]


def _beginning(text: str) -> str:
    short = " ".join(text[: 4 * SHOWN].split())
    return short if len(short) <= SHOWN else f"{short[:SHOWN]}..."
