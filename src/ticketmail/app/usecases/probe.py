"""Prove a mailbox before trusting it: login, TLS, what it offers, who it may send as, how many connections; and mails, if asked.

Each step is a finding, never an exception. Without ``send_to`` nothing is sent: envelopes are said and taken back (RSET).
"""

from __future__ import annotations

import json
import statistics
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ticketmail.app.usecases.report.models import Finding, Level
from ticketmail.app.usecases.report.times import Times, span
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken, Unclear
from ticketmail.domain.ports.proving import Certificate, Greeting, ProofSession, Provable
from ticketmail.domain.ports.sending import Gateway, Outgoing
from ticketmail.domain.ports.timing import Clock, Sleeper

#: Put behind the mailbox's name, as plus-addresses are: ``help+ticketmail-probe@example.com``.
TAG = "ticketmail-probe"
#: Between two connections (seconds): a server that counts must not take it for an attack.
GENTLY_S = 0.2
#: Refusals that say nothing of what was to be proved.
_BUSY = frozenset({"throttled-rate", "throttled-connections", "quota", "gateway-busy"})
#: A certificate that ends sooner is worth a word (microseconds).
ENDS_SOON_US = 21 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be proved. ``senders`` are addresses to send as, the first one the mailbox's own. ``send_to`` '': send nothing.
    ``connections``: open at most so many. ``rate``: send so many mails as fast as the server takes them."""

    senders: tuple[str, ...] = ()
    send_to: str = ""
    connections: int = 10
    rate: int = 0


@dataclass(slots=True)
class Proof:
    """What was found. ``connections``, ``per_connection`` None: no limit was met. ``on_one``: mails that the connection in use
    has taken. ``marks``: settings that were proved, as TOML values."""

    findings: list[Finding] = field(default_factory=list)
    greeting: Greeting | None = None
    connections: int | None = None
    per_connection: int | None = None
    on_one: int = 0
    marks: dict[str, str] = field(default_factory=dict)

    def add(self, level: Level, subject: str, text: str, remedy: str = "") -> None:
        """One more finding."""
        self.findings.append(Finding(level, subject, text, remedy))


async def probe(gateway: Gateway, wish: Wish, *, clock: Clock, sleeper: Sleeper, remedy: Callable[[OSError], str]) -> Proof:
    """Look at one mailbox. ``remedy`` names the next step for what a network or server did. Never raises for what they do."""
    proof = Proof()
    if not isinstance(gateway, Provable):
        await _on_check(proof, gateway, remedy)
        return proof
    try:
        session = await gateway.prove()
    except OSError as error:
        proof.add(Level.BAD, "login", str(error), remedy(error))
        return proof
    proof.greeting = session.greeting
    try:
        _on_greeting(proof, session.greeting, Times(clock.now_us()))
        await _on_senders(proof, session, wish, remedy)
        await _on_connections(proof, gateway, session, wish, sleeper)
    except OSError as error:
        proof.add(Level.BAD, "session", f"The server ended the session: {error}", remedy(error))
    finally:
        session.close()
    if wish.send_to and wish.senders:
        await _on_sending(proof, gateway, wish, clock)
    return proof


# --- without sending --------------------------------------------------------------------------------------------------------


async def _on_check(proof: Proof, gateway: Gateway, remedy: Callable[[OSError], str]) -> None:
    """Of a gateway that has no sessions, such as a provider's API."""
    try:
        proof.add(Level.OK, "login", await gateway.check())
    except OSError as error:
        proof.add(Level.BAD, "login", str(error), remedy(error))
        return
    proof.add(Level.WARN, "senders", "Who it may send as: only sending would prove it.", "Send a mail through it.")


def _on_greeting(proof: Proof, greeting: Greeting, times: Times) -> None:
    who = f"logged in as {greeting.login}" if greeting.login else "no login"
    proof.add(Level.OK, "login", f"{greeting.server} answers {greeting.banner!r}; {who}.")
    _on_tls(proof, greeting, times)
    proof.add(Level.OK, "features", f"{', '.join(greeting.extensions) or 'none'}.")
    if greeting.size_limit_bytes is None:
        proof.add(Level.WARN, "size", "The server names no limit of size.", "Set max_size to what your provider says.")
    else:
        proof.add(Level.OK, "size", f"Mails of up to {greeting.size_limit_bytes} bytes, base64 included.")


def _on_tls(proof: Proof, greeting: Greeting, times: Times) -> None:
    shown = greeting.certificate
    if shown is None:
        offered = " though the server offers STARTTLS" if "STARTTLS" in greeting.extensions else ""
        remedy = "Only for a server on this machine or in a network of yours; else smtps:// or ?tls=required."
        proof.add(Level.WARN, "tls", f"No TLS{offered}: mails and password travel in the clear.", remedy)
        return
    text = f"{shown.version}, certificate for {', '.join(shown.names[:5]) or 'no name'}{_until(shown, times)}."
    ends_soon = shown.until_us is not None and shown.until_us - times.now_us < ENDS_SOON_US
    proof.add(Level.WARN if ends_soon else Level.OK, "tls", text, "Its owner has to renew it." if ends_soon else "")


def _until(shown: Certificate, times: Times) -> str:
    issuer = f", issued by {shown.issuer}" if shown.issuer else ""
    return issuer + (f", until {times.full(shown.until_us)}" if shown.until_us is not None else "")


async def _on_senders(proof: Proof, session: ProofSession, wish: Wish, remedy: Callable[[OSError], str]) -> None:
    """MAIL FROM each address, RCPT to the mailbox's own; and the plus-address as return path and as recipient."""
    if not wish.senders:
        text = "No address is known to send as."
        proof.add(Level.WARN, "from", text, "Add --from ADDRESS.")
        return
    own = wish.send_to or wish.senders[0]
    for sender in wish.senders:
        failure = await session.envelope(sender, own)
        text = f"MAIL FROM {sender} is accepted. Some servers refuse a foreign From only after the body: --send-to proves it."
        _on_envelope(proof, "from", text, f"The server does not take mail from {sender} to {own}", failure)
    tagged = plus(wish.senders[0])
    failure = await session.envelope(tagged, own)
    text = f"{tagged} is accepted as return path. That bounces to it arrive is not proved by this."
    _on_envelope(proof, "return path", text, f"{tagged} is refused as return path", failure, Level.WARN)
    failure = await session.envelope(wish.senders[0], plus(own))
    text = f"RCPT TO {plus(own)} is accepted. That it arrives is not proved by this."
    _on_envelope(proof, "plus-address", text, f"{plus(own)} is refused", failure, Level.WARN)


def _on_envelope(proof: Proof, subject: str, well: str, ill: str, failure: Refused | None, level: Level = Level.BAD) -> None:
    if failure is None:
        proof.add(Level.OK, subject, well)
        return
    cause = cause_of(classify(failure).cause)
    text = f"{ill}: {failure.reply} (at {failure.phase.value.upper()})."
    proof.add(level, subject, text, f"{cause.sentence} {cause.remedy}".rstrip())


async def _on_connections(proof: Proof, gateway: Provable, first: ProofSession, wish: Wish, sleeper: Sleeper) -> None:
    """Open one by one, each logged in, until one is refused or there are enough; all are closed again."""
    opened, refusal = [first], ""
    try:
        while len(opened) < wish.connections and not refusal:
            await sleeper.sleep(GENTLY_S)
            opened.append(await gateway.prove())
            refusal = await _one_too_many(opened[-1], wish)
    except OSError as error:
        _on_limit(proof, len(opened), str(error))
    else:
        _on_limit(proof, len(opened) - bool(refusal), refusal)
    finally:
        for session in opened[1:]:
            session.close()


async def _one_too_many(session: ProofSession, wish: Wish) -> str:
    """Some servers count at MAIL: its words, if it takes no mail by this connection beside the others."""
    failure = await session.envelope(wish.senders[0]) if wish.senders else None
    too_many = failure is not None and classify(failure).cause == "throttled-connections"
    return f"{failure.reply} (at MAIL)" if failure is not None and too_many else ""


def _on_limit(proof: Proof, count: int, refusal: str) -> None:
    if not refusal:
        proof.add(Level.OK, "connections", f"{count} at once were accepted; more were not tried.")
        return
    proof.connections = count
    text = f"{count} at once; the next one was refused: {refusal}. Others who use this mailbox now count too."
    proof.add(Level.OK, "connections", text)


# --- by sending -------------------------------------------------------------------------------------------------------------


async def _on_sending(proof: Proof, gateway: Gateway, wish: Wish, clock: Clock) -> None:
    now_us = clock.now_us()
    taken = []
    for sender in wish.senders:
        mail = _outgoing(sender, wish.send_to, sender, now_us)
        if await _send(proof, gateway, "sent", mail, f"From {sender} to {wish.send_to}"):
            taken.append(sender)
    if taken:
        proof.marks["senders"] = f"{json.dumps(taken, ensure_ascii=False)}  # it was seen to take these; others are refused here"
    own, tagged = wish.senders[0], plus(wish.senders[0])
    text = f"To {plus(wish.send_to)}"
    await _send(proof, gateway, "plus-address", _outgoing(own, plus(wish.send_to), own, now_us), text)
    await _send(proof, gateway, "return path", _outgoing(own, wish.send_to, tagged, now_us), f"With return path {tagged}")
    if wish.rate:
        await _on_rate(proof, gateway, wish, clock)
    if proof.per_connection is not None:
        text = f"The server takes {proof.per_connection} mails on one connection; the next ones went on another."
        proof.add(Level.OK, "messages per connection", text, "Set messages_per_connection, as below.")


async def _outcome(proof: Proof, gateway: Gateway, mail: Outgoing) -> Outcome:
    """What became of the mail; of its second try, on another connection, where the first had taken all that one may."""
    (outcome,) = await gateway.send(mail, on_body=_begin)
    if proof.on_one and not isinstance(outcome, Taken) and classify(outcome).cause == "connection-spent":
        proof.per_connection, proof.on_one = proof.on_one, 0
        (outcome,) = await gateway.send(mail, on_body=_begin)
    if isinstance(outcome, (NotReached, Unclear)):  # that connection is gone, and what it had taken says nothing of the next
        proof.on_one = 0
    proof.on_one += isinstance(outcome, Taken)
    return outcome


async def _send(proof: Proof, gateway: Gateway, subject: str, mail: Outgoing, text: str) -> bool:
    """Whether it was taken."""
    outcome = await _outcome(proof, gateway, mail)
    if isinstance(outcome, Taken):
        proof.add(Level.OK, subject, f"{text}: sent; look for it: subject {_subject(mail)!r}, {mail.message_id}.")
        return True
    name = classify(outcome).cause
    cause = cause_of(name)
    busy = name in _BUSY
    remedy = f"{cause.sentence} {'Probe again in some minutes.' if busy else cause.remedy}".rstrip()
    proof.add(Level.WARN if busy else Level.BAD, subject, f"{text}: not taken: {_said(outcome)}.", remedy)
    return False


async def _on_rate(proof: Proof, gateway: Gateway, wish: Wish, clock: Clock) -> None:
    """``rate`` mails one after another, as fast as the server takes them, up to the first refusal."""
    own, took_s = wish.senders[0], list[float]()
    began_s = clock.monotonic_s()
    for _ in range(wish.rate):
        at_s = clock.monotonic_s()
        outcome = await _outcome(proof, gateway, _outgoing(own, wish.send_to, own, clock.now_us()))
        if not isinstance(outcome, Taken):
            text = f"{len(took_s)} mails were taken in {span(clock.monotonic_s() - began_s)}, the next was not: {_said(outcome)}."
            proof.add(Level.OK, "rate", text, "Set limits to what your provider says.")
            return
        took_s.append(clock.monotonic_s() - at_s)
    each = f"each took {span(statistics.median(took_s))} (median)"
    proof.add(Level.OK, "rate", f"{len(took_s)} mails in {span(clock.monotonic_s() - began_s)}, none refused; {each}.")


async def _begin(accepted: Sequence[int]) -> None:
    """Nothing is recorded: a probe is no delivery."""


def _outgoing(sender: str, to: str, return_path: str, now_us: int) -> Outgoing:
    id_ = uuid.uuid4()
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, f"ticketmail probe {id_.hex[:8]}"
    mail["Date"] = format_datetime(Times(now_us).local(now_us))
    mail["Message-ID"] = f"<{id_}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"Sent by `ticketmail doctor --probe`.\nReturn path: {return_path}\nTo: {to}\n")
    return Outgoing(id_, str(mail["Message-ID"]), return_path, (to,), mail.as_bytes())


def _subject(mail: Outgoing) -> str:
    return f"ticketmail probe {mail.submission_id.hex[:8]}"


def _said(outcome: Outcome) -> str:
    match outcome:
        case Refused(reply=reply, phase=phase):
            return f"{reply} (at {phase.value.upper()})"
        case NotReached(error=error) | Unclear(error=error):
            return error
    return str(Phase.DOT)  # pragma: no cover (Taken is told elsewhere)


def plus(address: str) -> str:
    """The plus-address of ``address``: ``help+ticketmail-probe@example.com``."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{TAG}@{domain}"


# --- what to paste ----------------------------------------------------------------------------------------------------------


def settings_text(
    name: str, url: str, proof: Proof, *, password: bool, ca_file: str = "", profile: str = "", limits: Iterable[str] = ()
) -> str:
    """The TOML of the account that was probed. ``url`` without its password; ``limits`` are those of the profile."""
    lines = [f"[accounts.{name}]", f'url = "{url}"']
    if password:
        lines.append(f'password = "file:/run/secrets/{name}.password"  # put it there, readable by the worker alone')
    if ca_file:
        lines.append(f"ca_file = {json.dumps(ca_file, ensure_ascii=False)}")
    if profile:
        told = ", ".join(limits)
        lines.append(f'profile = "{profile}"' + (f"  # brings {told}" if told else ""))
    else:
        lines.append('# limits = ["30/min", "2000/day"]  # what your provider says')
    if proof.connections is not None:
        lines.append(f"connections = {proof.connections}")
    if proof.per_connection is not None:
        lines.append(f"messages_per_connection = {proof.per_connection}")
    if proof.greeting is not None and proof.greeting.size_limit_bytes is not None:
        lines.append(f"max_size = {proof.greeting.size_limit_bytes}")
    lines += [f"{setting} = {value}" for setting, value in proof.marks.items()]
    return "\n".join(lines)
