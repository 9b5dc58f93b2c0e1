"""``ticketmail doctor --probe``: one mailbox, by its URL or its name in the settings."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ticketmail.app.cli.checks import remedy_for
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.plugins import profiles
from ticketmail.app.usecases.arrivals import Trial, prove_marks
from ticketmail.app.usecases.probe import Proof, Wish, probe, settings_text
from ticketmail.app.usecases.report import Finding, Level, worst
from ticketmail.app.wiring.timing import SystemClock, SystemSleeper, Timing
from ticketmail.domain.address import parse_address
from ticketmail.domain.errors import InvalidSubmission
from ticketmail.domain.outbound.profile import Profile, profile_of_host
from ticketmail.domain.ports.receiving import Mailbox
from ticketmail.domain.ports.sending import Gateway, GatewayOptions

#: A password for a URL that has none, so that it stands in no list of processes and no shell history.
FROM_ENVIRON = "TICKETMAIL_PROBE_PASSWORD"


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """``url`` has the login, and is never shown."""

    name: str
    url: str = field(repr=False)
    gateway: Gateway
    ca_file: str = ""


def proved(context: Context) -> int:
    """Findings, and the TOML to paste. The exit code is the worst level."""
    args = context.args
    mailbox = _by_url(context) if "://" in args.probe else _by_name(context)
    wish = Wish(_senders(args.sender, mailbox.url), _address(args.send_to, "--send-to"), args.connections, args.rate)
    if wish.rate and not wish.send_to:
        raise UsageError("--rate sends mails.", remedy="Say to whom: --send-to ADDRESS.")
    proof = asyncio.run(_run(mailbox.gateway, wish, _answering(context, wish) if args.answers else None))
    toml = _toml(mailbox, proof)
    level = worst(one.level for one in proof.findings)
    if context.out.as_json:
        context.out.json({"level": level, "findings": proof.findings, "connections": proof.connections, "toml": toml})
        return level.exit_code
    _show(context, proof.findings)
    if proof.greeting is not None:
        context.out.line("")
        context.out.raw(toml)
    return level.exit_code


def _show(context: Context, findings: Sequence[Finding]) -> None:
    for one in findings:
        context.out.verdict(one.level, f"{one.subject}: {one.text}")
        if one.remedy and one.level is not Level.OK:
            context.out.line(f"     -> {one.remedy}")


def _answering(context: Context, wish: Wish) -> tuple[Mailbox, Trial]:
    """The mailbox of ``--answers``, and the mails that are sent to it."""
    from ticketmail.app.wiring.mailboxes import make_mailbox

    settings, name = context.mail.settings, context.args.answers
    box = settings.mailboxes.get(name)
    own = next((one for one in box.addresses if "@" in one), "") if box is not None else ""
    if box is None or not own or not box.url.get_secret_value():
        remedy = f"Give it a url and its own addresses. Known: {', '.join(settings.mailboxes) or 'none'}."
        raise UsageError(f"There is no mailbox {name!r} to read, or nobody knows its address.", remedy=remedy)
    source = make_mailbox(settings, name, context.mail.host.tokens, read_only=True)
    try:
        return source, Trial(next(iter(wish.senders), own), own, uuid.uuid4, SystemClock().now_us())
    except ValueError as error:
        raise UsageError(f"{own} has no room for a token: {error}", remedy="Use a shorter address for it.") from None


async def _run(gateway: Gateway, wish: Wish, answering: tuple[Mailbox, Trial] | None) -> Proof:
    clock, sleeper = SystemClock(), SystemSleeper()
    try:
        proof = await probe(gateway, wish, clock=clock, sleeper=sleeper, remedy=remedy_for)
        if answering is not None and proof.greeting is not None:
            await prove_marks(proof, gateway, *answering, clock=clock, sleeper=sleeper, threads=Timing().threads)
        return proof
    finally:
        await gateway.aclose()


def _by_name(context: Context) -> _Mailbox:
    from ticketmail.app.wiring.sending import account_url, open_account

    settings, name = context.mail.settings, context.args.probe
    if name not in settings.accounts:
        raise UsageError(
            f"There is no account {name!r}.", remedy=f"Known: {', '.join(settings.accounts) or 'none'}; or give smtp://user@host."
        )
    gateway = open_account(settings, name, context.mail.host.tokens)
    return _Mailbox(name, account_url(settings, name), gateway, settings.accounts[name].ca_file)


def _by_url(context: Context) -> _Mailbox:
    from ticketmail.app.logging import Redaction
    from ticketmail.app.plugins import open_gateway

    url = _with_password(context.args.probe)
    secret = urlsplit(url).password or ""
    context.out.mask = Redaction([one for one in (secret, unquote(secret)) if one]).text
    ca_file = str(Path(context.args.ca_file).resolve()) if context.args.ca_file else ""
    options = GatewayOptions(account="probe", ca_file=ca_file)
    return _Mailbox(_name_of(url), url, open_gateway(url, options, name="--probe"), ca_file)


def _with_password(url: str) -> str:
    """``url`` with the password from the environment or a person, where it has a user and no password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("--probe is not a URL.", remedy="Write smtp://user%40example.com@host:587.") from None
    if not parts.username or parts.password is not None:
        return url
    secret = os.environ.get(FROM_ENVIRON, "")
    if not secret and sys.stdin.isatty():
        secret = getpass.getpass("Password of the mailbox: ", stream=sys.stderr)
    if not secret:
        raise UsageError("The URL has a user and no password.", remedy=f"Set ${FROM_ENVIRON}, or write it into the URL.")
    user, host = parts.netloc.rpartition("@")[::2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(secret, safe='')}@{host}"))


def _senders(given: Sequence[str], url: str) -> tuple[str, ...]:
    """Those of ``--from``; else the user of the login, if it is an address."""
    if given:
        return tuple(_address(one, "--from") for one in given)
    user = unquote(urlsplit(url).username or "")
    try:
        return (_address(user, "the user"),) if "@" in user else ()
    except UsageError:
        return ()


def _address(text: str, option: str) -> str:
    try:
        return parse_address(text).addr_spec if text else ""
    except InvalidSubmission as error:
        raise UsageError(f"{option}: {error}") from None  # which says what to write


def _name_of(url: str) -> str:
    """A name for the settings: the user's local part, else the host's first label."""
    parts = urlsplit(url)
    text = unquote(parts.username or "").partition("@")[0] or (parts.hostname or "")
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-").lower()
    return name if name and not name.isdigit() else "mailbox"


def _toml(mailbox: _Mailbox, proof: Proof) -> str:
    parts = urlsplit(mailbox.url)
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    bare = urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))
    profile = recognised(parts.hostname or "", proof.greeting.banner if proof.greeting is not None else "")
    windows = tuple(str(one.value) for one in profile.windows) if profile is not None else ()
    return settings_text(
        mailbox.name,
        bare,
        proof,
        password=bool(parts.password),
        ca_file=mailbox.ca_file,
        profile=profile.name if profile is not None else "",
        limits=windows,
    )


def recognised(host: str, banner: str) -> Profile | None:
    """The vendor's profile, by the server's name in the URL, else by a name in its greeting: ``x.outlook.office365.com`` counts
    for ``outlook.office365.com``."""
    names = [host, *(word for word in banner.split() if "." in word)]
    for name in names:
        labels = name.lower().split(".")
        for start in range(max(1, len(labels) - 1)):
            if (found := profile_of_host(".".join(labels[start:]), profiles())) is not None:
                return found
    return None
