"""Who wrote, and who else is in a mail. Pure.

The author is From and nothing else: Reply-To and Sender are a stranger's choice (reliability rules, T20), and two authors or an
address that is none are no identity (T1, T4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ticketmail.domain.inbound.authentication import Authenticated
from ticketmail.domain.inbound.mail import ParsedMail, Party
from ticketmail.domain.received import Author, Participant

_MOST = 100  #: participants in an event


def author_key(mail: ParsedMail) -> str:
    """The author's ``Address.key``, '' where From is no single address."""
    address = mail.senders[0].strict if len(mail.senders) == 1 else None
    return address.key if address is not None else ""


def author_of(mail: ParsedMail, proof: Authenticated) -> Author:
    """The author as the event shows them."""
    sender = mail.sender
    key = author_key(mail)
    return Author(
        address=sender.address if sender is not None else "",
        name=sender.name if sender is not None else "",
        trusted=bool(key),
        authenticated=proof.domains,
        verdicts=proof.verdicts,
        reply_to=tuple(one.address for one in mail.reply_to[:10]),
    )


def participants_of(mail: ParsedMail, *, own: Collection[str], known: Collection[str]) -> tuple[Participant, ...]:
    """To and Cc without the author and ourselves (tokens behind a plus are ourselves too), each once."""
    seen = {author_key(mail)}
    found: list[Participant] = []
    for role, party in _others(mail):
        key = _key(party)
        if key in seen or bare_key(key) in own or len(found) >= _MOST:
            continue
        seen.add(key)
        found.append(Participant(address=party.address, name=party.name, role=role, known=key in known))
    return tuple(found)


def bare_key(key: str) -> str:
    """An address key without what stands behind a plus (RFC 5233)."""
    local, at, domain = key.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def _others(mail: ParsedMail) -> Iterator[tuple[str, Party]]:
    yield from (("to", party) for party in mail.to)
    yield from (("cc", party) for party in mail.cc)


def _key(party: Party) -> str:
    strict = party.strict
    return strict.key if strict is not None else party.key
