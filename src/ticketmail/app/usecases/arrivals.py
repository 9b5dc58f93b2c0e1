"""Prove by real mails which marks of ours come back to a mailbox: the token behind the plus, the return path, subject, body.

The marks are of the very make that mail bears, by a key that is thrown away. The mailbox is read and left as it is.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final
from uuid import UUID

from ticketmail.app.usecases.probe import Proof
from ticketmail.app.usecases.report.models import Level
from ticketmail.app.usecases.report.times import Times, span
from ticketmail.domain.errors import MailboxError
from ticketmail.domain.outbound.outcome import Taken
from ticketmail.domain.ports.receiving import Letter, Mailbox
from ticketmail.domain.ports.sending import Gateway, Outgoing
from ticketmail.domain.ports.timing import Clock, Sleeper, Threads
from ticketmail.domain.ticket import body_marker, bounce_address, reply_address, subject_tag

#: How long the mails are waited for, and how often is looked (seconds).
PATIENCE_S: Final = 60.0
LOOK_S: Final = 1.0


class _Basket:
    """An ``Inbox`` for what comes from now on."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = set(known)
        self.contents: list[bytes] = []

    def has(self, sources: Sequence[str]) -> frozenset[str]:
        return frozenset(one for one in sources if one in self._known)

    def store(self, letters: Sequence[Letter]) -> None:
        self._known |= {one.source for one in letters}
        self.contents += [one.content for one in letters]

    def cursor(self, name: str) -> str:
        return ""

    def move_cursor(self, name: str, value: str) -> None:
        """Nothing is remembered."""


class Trial:
    """Two mails to the mailbox: one to a token behind its plus, one with such a token as return path. ``uuid4`` throws dice."""

    def __init__(self, sender: str, own: str, uuid4: Callable[[], UUID], now_us: int) -> None:
        keys, marks = (uuid4().bytes + uuid4().bytes,), {"tenant": "", "recipients": (own,)}
        self.own = own
        ids = (uuid4(), uuid4())
        self.reply_to = reply_address(keys, ids[0], own, **marks)  # type: ignore[arg-type]
        self.return_path = bounce_address(keys, ids[1], own, **marks)  # type: ignore[arg-type]
        self.marker = body_marker(keys, ids[0], **marks)  # type: ignore[arg-type]
        self.tag = subject_tag(keys, "", "4711")
        self.to_plus = self._mail(ids[0], sender, sender, self.reply_to, now_us)
        self.from_plus = self._mail(ids[1], sender, self.return_path, own, now_us)

    def _mail(self, ident: UUID, sender: str, return_path: str, to: str, now_us: int) -> Outgoing:
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"], mail["To"] = sender, to
        mail["Subject"] = f"ticketmail probe {ident.hex[:12]} {self.tag}"
        mail["Date"] = format_datetime(Times(now_us).local(now_us))
        mail["Message-ID"] = f"<{ident}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"Sent by `ticketmail doctor --probe`; delete it.\n\n{self.marker}\n")
        return Outgoing(ident, str(mail["Message-ID"]), return_path, (to,), mail.as_bytes())


async def prove_marks(
    proof: Proof,
    gateway: Gateway,
    box: Mailbox,
    trial: Trial,
    *,
    clock: Clock,
    sleeper: Sleeper,
    threads: Threads,
    patience_s: float = PATIENCE_S,
) -> None:
    """Send both mails, wait for them, and tell what came of their marks: findings, and ``proof.marks`` to paste. Never raises for
    what servers do."""
    try:
        basket = _Basket(await threads.run(lambda: list(box.census())))
        sent = [mail for mail in (trial.to_plus, trial.from_plus) if await _taken(proof, gateway, mail)]
        began_s = clock.monotonic_s()
        while True:
            await threads.run(lambda: box.poll(basket))
            found = {one.submission_id: got for one in sent if (got := _among(basket.contents, one)) is not None}
            waited_s = clock.monotonic_s() - began_s
            if len(found) == len(sent) or waited_s > patience_s:
                break
            await sleeper.sleep(LOOK_S)
    except MailboxError as error:
        proof.add(Level.BAD, "mailbox", str(error))
        return
    finally:
        await threads.run(box.close)
    to_plus, from_plus = found.get(trial.to_plus.submission_id), found.get(trial.from_plus.submission_id)
    _on_plus(proof, trial, to_plus, waited_s)
    _on_return_path(proof, trial, from_plus, plus=to_plus is not None)
    _on_texts(proof, trial, to_plus or from_plus)


async def _taken(proof: Proof, gateway: Gateway, mail: Outgoing) -> bool:
    (outcome,) = await gateway.send(mail, on_body=_begin)
    if not isinstance(outcome, Taken):
        proof.add(Level.WARN, "marks", f"From <{mail.return_path}> to {mail.recipients[0]}: not taken: {outcome}.")
    return isinstance(outcome, Taken)


async def _begin(accepted: Sequence[int]) -> None:
    """Nothing is recorded: a probe is no delivery."""


def _among(contents: Sequence[bytes], mail: Outgoing) -> EmailMessage | None:
    """By what stands in the subject: some servers write another Message-ID."""
    word = f"ticketmail probe {mail.submission_id.hex[:12]}".encode()
    for one in contents:
        if word in one:
            return email.message_from_bytes(one, policy=email.policy.default)
    return None


def _on_plus(proof: Proof, trial: Trial, got: EmailMessage | None, waited_s: float) -> None:
    if got is None:
        text = f"A mail to {trial.reply_to} did not arrive within {span(waited_s)}: no tokens in Reply-To."
        proof.add(Level.WARN, "reply token", text, "Let the server deliver plus-addresses, or do without.")
        return
    proof.add(Level.OK, "reply token", f"A mail to {trial.reply_to} has arrived.")
    proof.marks |= {"reply_token": "true"}
    if str(got.get("Message-ID", "")) != trial.to_plus.message_id:
        proof.add(Level.WARN, "Message-ID", f"The server writes its own: {got.get('Message-ID')}.", "References and marks help.")


def _on_return_path(proof: Proof, trial: Trial, got: EmailMessage | None, *, plus: bool) -> None:
    came = parseaddr(str(got.get("Return-Path", "")))[1] if got is not None else ""
    if came.lower() == trial.return_path.lower() and plus:
        proof.add(Level.OK, "return path", "A return path of its own has arrived as it was sent, and its address takes mail.")
        proof.marks["bounce_to"] = f'"{trial.own}"'
        return
    why = (
        "the mail did not arrive" if got is None else f"it arrived as <{came}>" if came != trial.return_path else "no mail to it"
    )
    proof.add(Level.WARN, "return path", f"No return path for each mail (VERP): {why}.", "Bounces are told by what they quote.")


def _on_texts(proof: Proof, trial: Trial, got: EmailMessage | None) -> None:
    if got is None:
        return
    body = got.get_body(("plain",))
    for name, setting, kept in (
        ("subject tag", "subject_tag", trial.tag in str(got.get("Subject", ""))),
        ("body marker", "body_marker", body is not None and trial.marker in body.get_content()),
    ):
        level = Level.OK if kept else Level.WARN
        proof.add(level, name, f"It has {'arrived' if kept else 'been lost'} on the way.", "" if kept else "Do without.")
        if kept:
            proof.marks[setting] = "true"
