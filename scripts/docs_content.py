"""docs/reference/content.md: the rules by which bodies of incoming mail are taken apart, from their tables."""

from __future__ import annotations

from collections.abc import Iterable

from ticketmail.adapters.mime.html import safe, styles, taming
from ticketmail.domain.inbound import attachments, html_marks, labelling, lines, quote_words, signature_words
from ticketmail.domain.inbound.file_types import ACTIVE, ARCHIVES, DANGEROUS, MACROS

#: Rule of a segment -> what it looks at, and where it comes from.
RULES = (
    (">", "a line that begins with `>`, unless it closes a wrapped link; one or two alone are the author's own", "RFC 3676 4.5"),
    ("name>", "a line that begins with a name and `>`, below an attribution", "supercite"),
    (
        "wrote",
        "a verb of the table below, with evidence: how the line begins, a date, a time, an address",
        "Gmail, Apple, Thunderbird",
    ),
    ("date-address", "a date and an address in brackets at the end, without a verb", "Gmail, Yandex, Mail.ru"),
    ("gmail-date", "`2016-10-24 15:36 GMT+02:00 Name`", "Gmail before 2019"),
    ("dashes", "`---- Name wrote ----`", "Android, Zoho"),
    ("posted-by", "`Posted by NAME on DATE`", "forums"),
    ("before-quote", "any line with a date and a time that ends in a colon, directly above a quote, in any language", "-"),
    ("wrapped", "one line between quoted lines, with no blank line around it: the rest of a wrapped line", "Gmail"),
    ("original-message", "*Original Message* between dashes, or alone with a colon", "Outlook, Yahoo, AOL, QQ"),
    ("quoted-header", "a sender and enough other fields that nobody writes by hand", "Outlook, Hotmail, Lotus"),
    ("reply-above", "*reply above this line*, or our own `[ref ...]` marker", "help desks"),
    ("forwarded-message", "*Forwarded message* and its kin: kept to be read", "Gmail, Apple, Thunderbird"),
    ("delimiter", "`-- ` at the start of a line; `--` above a few lines", "RFC 3676 4.3"),
    ("tagline", "*Sent from my iPhone* as a whole line, at the end", "phones, mail programs"),
    ("disclaimer", "a known beginning of legal text with a word of law, at the end", "company gateways"),
    ("banner", "a warning about mail from outside, at the top", "Exchange, Proofpoint, Mimecast"),
    ("list-footer", "a row of underscores or dashes, and what list software writes below", "Mailman, Sympa, Google Groups"),
    ("hidden:...", "`display:none`, no size, white on white, off the screen, ...", "spam, preheaders"),
    ("html:...", "a container that only mail programs make: see below", "see below"),
)
FLAGS = (
    ("hidden-text", "the HTML has text that people do not see; it is a segment of its own and never in `text`"),
    ("bodies-differ", "plain text and HTML say different things: fewer than six words in ten of the shorter one are in both"),
    ("deceptive-link", "the text of a link names one host, the link goes to another"),
    ("remote-content", "images or backgrounds elsewhere: none is fetched; `data-remote-src` keeps the address of an image"),
    ("html-cut", "the HTML went over a bound (size, nesting, attributes, tags) and lost tags there, or its end"),
    ("html-not-read", "the extra `inbound` is not installed: only the plain text was read"),
)
FILES = (
    ("renamed", "the name was made fit: no path, no control signs, no device of Windows, 200 bytes"),
    ("dangerous", f"it runs, installs or mounts on a click ({len(DANGEROUS)} endings), or its bytes are a program"),
    ("active", f"a browser would act on it ({', '.join(sorted(ACTIVE)[:6])}, ...): serve it as a file, in a sandbox"),
    ("macros", f"an office file that may hold programs ({', '.join(sorted(MACROS)[:4])}, ...)"),
    ("archive", f"it holds files that nobody has looked at ({len(ARCHIVES)} endings); nothing is ever unpacked"),
    ("double-extension", "`invoice.pdf.exe`"),
    ("type-mismatch", "the bytes are of another kind than the name says"),
    ("empty", "no bytes"),
    ("shown", "the HTML shows it"),
    ("signature-image", "a small image in the HTML, named as programs name logos, or attached more than once"),
)


def page() -> str:
    """The page."""
    text = ["# Content of incoming mail\n", "<!-- Written by scripts/docs_reference.py from the code. -->\n"]
    text.append(
        "Why it is so: [folded, never deleted](../explanation/folded-never-deleted.md). `ticketmail inspect FILE` shows it.\n"
    )
    text += ["## Kinds of segments\n", *_table(("kind", "meaning"), ((f"`{kind.value}`", _said(kind)) for kind in lines.Kind))]
    text += ["## Rules\n", "In this order; the structure of HTML goes before words. Sources are the programs that write so.\n"]
    text += _table(("rule", "looks at", "written by"), ((f"`{rule}`", looks, source) for rule, looks, source in RULES))
    text += ["## Who wrote: verbs by language\n"]
    text += _table(
        ("language", "begins with", "verbs"),
        ((row.language, _words(row.openers), _words(row.verbs)) for row in quote_words.ATTRIBUTIONS),
    )
    text += ["## Fields of quoted headers by language\n"]
    columns = ("language", "sender", "to", "subject", "sent", "date")
    text += _table(columns, ([_words(one) for one in row[:6]] for row in quote_words.HEADINGS))
    text += [
        "## Containers in HTML\n",
        "Prefixes that Outlook, Gmail and Yahoo put before what they quote (`x_`, `m_...`, `ydp...`) are left off.\n",
    ]
    marks = [
        *((f"`.{name}`", mark) for name, mark in html_marks.CLASSES.items()),
        *((f"`#{name}`", mark) for name, mark in html_marks.IDS.items()),
    ]
    text += _table(("container", "means"), ((name, mark.value) for name, mark in marks))
    counted = (
        quote_words.ORIGINAL,
        quote_words.FORWARDED,
        quote_words.REPLY_MARKERS,
        signature_words.TAGLINES,
        signature_words.DISCLAIMERS,
    )
    names = ("*Original message*", "*Forwarded message*", "*Reply above*", "what phones add", "legal text")
    text += [
        "Phrases in the tables: " + ", ".join(f"{name} {len(words)}" for name, words in zip(names, counted, strict=True)) + ".\n"
    ]
    text += ["## Flags of a body\n", *_table(("flag", "meaning"), ((f"`{flag}`", said) for flag, said in FLAGS))]
    text += ["## Flags of an attachment\n", *_table(("flag", "meaning"), ((f"`{flag}`", said) for flag, said in FILES))]
    text += ["## Safe HTML\n", "Written anew from what is allowed, then parsed and cleaned a second time (nh3).\n"]
    text += [f"Elements: {_codes(safe.TAGS)}.\n", f"Properties of `style`: {_codes(styles.PROPERTIES)}.\n", *_bounds()]
    return "\n".join(text).rstrip("\n") + "\n"


def _bounds() -> list[str]:
    rows = (
        ("characters of HTML", taming.MAX_CHARS),
        ("elements within one another, read", taming.MAX_OPEN),
        ("elements within one another, written", safe.MAX_DEPTH),
        ("tags", taming.MAX_TAGS),
        ("characters of embedded images", safe.MAX_EMBEDDED),
        ("lines told apart", lines.MAX_LINES),
        ("characters of a line that rules look at", lines.LOOKED_AT),
        ("attributions looked for", labelling.MAX_ATTRIBUTIONS),
        ("bytes of a name of a file", attachments.MAX_NAME_BYTES),
    )
    return ["## Bounds\n", *_table(("what", "at most"), ((what, f"{most:,}") for what, most in rows))]


def _said(kind: lines.Kind) -> str:
    return {
        lines.Kind.VISIBLE: "what the author wrote in this mail, and quotes that are answered point by point",
        lines.Kind.QUOTE: "an earlier mail",
        lines.Kind.ATTRIBUTION: "the lines above a quote: who, when",
        lines.Kind.SIGNATURE: "below `-- `, or what a phone adds",
        lines.Kind.DISCLAIMER: "legal text, banners of gateways, footers of mailing lists",
        lines.Kind.FORWARDED: "a mail that was passed on; it is read with what the author wrote",
        lines.Kind.HIDDEN: "what people do not see",
    }[kind]


def _words(text: str) -> str:
    return ", ".join(text.split("|")) if text else "-"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in sorted(words))


def _table(columns: tuple[str, ...], rows: Iterable[Iterable[str]]) -> list[str]:
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
