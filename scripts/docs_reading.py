"""The reference page of reading mail: classes, rules with their sources, limits, defects. For docs_reference.py."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from ticketmail.adapters.mime.reading import parser
from ticketmail.app.usecases.inspect import KINDS
from ticketmail.domain.inbound import absences, wordings
from ticketmail.domain.inbound.automatic import RULES, Means
from ticketmail.domain.inbound.limits import MIB, ReadingLimits
from ticketmail.domain.inbound.verdict import AUTOMATIC, MailKind
from ticketmail.domain.inbound.wordings import Phrases

MEANS: Final = {
    Means.AWAY: "out of office",
    Means.REPLY: "automatic answer",
    Means.MACHINE: "a machine's own mail",
    Means.BULK: "list or bulk",
    Means.QUIET: "no automatic answer is wanted",
}
#: What was broken and read all the same, or cut. A test holds it to the codes that are told.
DEFECTS: Final = {
    "bad-content-type": "Content-Type is no type: read as text, or as a file if it bears a name (RFC 2045 section 5.2)",
    "boundary-guessed": "the boundary was not declared, or another one; the one that stands in the body was taken",
    "byte-order-mark": "the mail began with one",
    "charset": "the text is in another charset than declared, or in none that is",
    "empty-line-first": "empty lines stood before the header",
    "field-too-long": "cut: `field_bytes`",
    "header-too-long": "cut: `header_bytes`",
    "mail-not-opened": "mails within mails beyond `nested_mails` stay files",
    "mbox-line": "a line of an mbox stood before the header",
    "name-turned": "signs that turn the direction of reading stood in a file's name, so that it seemed another: left out",
    "no-boundary": "a multipart that is not divided anywhere: read as one text",
    "no-empty-line": "the body began without an empty line before it",
    "not-closed": "the last boundary is missing",
    "not-read": "a fault of ours; the header alone was read",
    "signature-unverified": "an opaque S/MIME signature was unwrapped; nobody verified it",
    "stray-line": "a line in the header that is no field: a continuation without its blank",
    "tnef-broken": "winmail.dat ended early",
    "text-too-long": "cut: `text_bytes`, `html_bytes`",
    "too-deep": "cut: `depth`",
    "too-large": "only the header was read: `raw_bytes`",
    "too-many-attachments": "cut: `attachments`",
    "too-many-fields": "cut: `fields`",
    "too-many-parts": "cut: `parts`",
    "too-much-content": "cut: `decoded_bytes`",
}


def reading() -> str:
    """The page."""
    comments = _comments(ReadingLimits)
    lines = [_INTRODUCTION, *_table("class | what it is | a machine made it | `kind` of inspect")]
    lines += [f"| `{one}` | {text} | {_yes(one in AUTOMATIC)} | `{KINDS.get(one, 'not_bounce')}` |" for one, text in _classes()]
    lines += ["", _ORDER, "## Header fields\n", *_table("rule | field | value | says | source")]
    lines += [f"| `{one.rule}` | {_code(one.field)} | {_code(one.value)} | {MEANS[one.means]} | {one.source} |" for one in RULES]
    lines += ["", _ANSWERS, _WORDS, *_table("rule | who says it | phrases")]
    lines += [f"| `{one.name}` | {one.source} | {len(one.patterns)} patterns |" for one in _phrases()]
    lines += ["", _BOUNCES, _LIMITS, *_table("limit | default | of what")]
    lines += [f"| `{one.name}` | {_size(one.name, one.default)} | {comments[one.name]} |" for one in fields(ReadingLimits)]
    lines += ["", "## Defects\n", *_table("code | what it means | tier")]
    lines += [f"| `{code}` | {text} | {_tier(code)} |" for code, text in DEFECTS.items()]
    return "\n".join(lines) + "\n"


def _classes() -> Iterator[tuple[MailKind, str]]:
    comments = _comments(MailKind)
    return ((one, comments[one.name]) for one in MailKind)


def _phrases() -> Iterator[Phrases]:
    for module in (wordings, absences):
        for found in vars(module).values():
            if isinstance(found, tuple) and found and isinstance(found[0], Phrases):
                yield from found


def _comments(of: type[Any]) -> dict[str, str]:
    """Field -> its ``#:`` comment."""
    pattern = re.compile(r"^\s+(\w+)\b.*?#: (.*)$", re.MULTILINE)
    return {match[1]: match[2] for match in pattern.finditer(inspect.getsource(of))}


def _table(heads: str) -> list[str]:
    return [f"| {heads} |", "|" + "---|" * (heads.count("|") + 1)]


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if text else "any"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _size(name: str, value: object) -> str:
    if not isinstance(value, int) or not name.endswith("_bytes"):
        return f"{value:,}"
    return f"{value // MIB} MiB" if value >= MIB else f"{value // 1024} KiB"


def _tier(code: str) -> str:
    return "minimal" if code in ("too-large", "not-read") else "degraded" if code in parser.CUT else "full"


_INTRODUCTION: Final = """\
# Reading mail

<!-- Written by scripts/docs_reference.py from the code. -->

What becomes of the bytes of an incoming mail, before it is threaded. `ticketmail inspect FILE` shows all of it for any mail
([how to](../how-to/inspect-a-mail.md)).

Every mail is read, in one of three tiers. **full**: all of it. **degraded**: something was cut for its size or number.
**minimal**: the header alone. Nothing is refused, and no bytes raise an error. What was broken and mended, or cut, is told as a
defect.

## Classes

Every mail has exactly one class, with the evidence for it. Bounces and automatic mail never thread by subject or body.
"""

_ORDER: Final = """\
The questions, in order: is it our own (a Message-ID that only we can have made); a complaint (RFC 5965); a receipt (RFC 8098),
but a refusal in the form of one (RFC 5429) is a bounce; a report on DMARC or TLS; a challenge; a bounce, delay or success (RFC
3464, RFC 6533, Amazon SES, notices in prose); written by a machine, by its header; an answer to an invitation (RFC 5546); a
list's; a human's.
"""

_ANSWERS: Final = """\
## May an automatic answer be sent?

Not if one of these holds; `against` names all that do. Budgets come on top.

| reason | source |
|---|---|
| the class is automatic, or an answer to an invitation | RFC 3834 section 2 |
| a rule above says list, bulk, or that none is wanted | RFC 3834 section 2 |
| a mail system sent it: its name, or a null return path | RFC 5321 section 4.5.5 |
| nobody reads the address: `no-reply`, `postmaster`, `abuse`, `root`, ... | RFC 2142; Zammad |
| there is no address that mail can be sent to | |
| it came from a mailbox of ours | |
"""

_WORDS: Final = """\
## Words

Words are weak evidence, in the languages that mail systems and people use. A program's subject counts alone where a colon
parts it from ours (`Automatic reply: ...`); without one, or behind `Re:`, the text must say the same, for people write about
such programs, too. Words of absence count only beside a header or a subject of a machine. Words of failure make a bounce
only together with a sender that mail systems use; a null return path is none by itself, vacation programs use it as well:
there the subject must speak of failure and no header of an automatic answer, or recipient, status and words must be there.
Where the sender is none, subject, text, recipient and the returned mail must all be there. The day of return is read from
what stands behind `until`, `back`, `bis`, `jusqu'au`, ...; of two readings of 05/01 it is the one nearer to the day on which
the note was sent.
"""

_BOUNCES: Final = """\
## Reports

* **Recipient**: Final-Recipient, or Original-Recipient where the former is no address; both are kept. In prose: addresses that
  lead a line; else those behind a key (`Recipient:`); else those in a transcript; else any.
* **Status**: that of Diagnostic-Code, else Status (RFC 3463): what the remote server said is nearer to the fault.
* **Permanent**: by the class of the status, else of the reply code, else by the words; nothing if recipients differ.
* **Expired**: a bounce for faults that might have passed: status 4.4.1, 4.4.7, 5.4.7, 5.4.316, or words. `inspect` calls its
  `kind` `delayed` (not delivered in time); its `class` is `bounce`, for nobody tries any more.
* **The mail that it is about**: Message-ID, Original-Envelope-Id, `X-Ticketmail-Id` of the returned mail, and the addresses that
  the report was sent to (VERP). All of it is a stranger's word until a MAC proves it.
"""

_LIMITS: Final = """\
## Limits

A mail is read by a process of its own with limits of time and memory; these are what its reading keeps to by itself. Every step
is linear in the mail's size.
"""
