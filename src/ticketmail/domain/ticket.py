"""Tokens: what our ids in mails carry, so that a reply or a bounce leads back to its ticket, and nobody can forge the way.

Token = version, key id, kind, ref (9 bytes), recipient tag (4), MAC (10): 26 bytes, 42 characters of lower-case base32, for
local parts get case-folded on their way, and ``support+TOKEN`` must fit the 64 bytes of one (RFC 5321 section 4.5.3.1.1).
The ref is a row in the spool (ref -> tenant, ticket, submission). Both directions use this one module.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

from ticketmail.domain.address import ascii_domain

VERSION: Final = 1
REF_BYTES: Final = 9
TAG_BYTES: Final = 4
MAC_BYTES: Final = 10
TOKEN_CHARS: Final = 42
NO_TAG: Final = bytes(TAG_BYTES)
X_HEADER: Final = "X-Ticketmail-Id"

_PAYLOAD_BYTES: Final = 3 + REF_BYTES + TAG_BYTES
_FOUND: Final = re.compile(rf"(?<![a-z2-7])[a-z2-7]{{{TOKEN_CHARS}}}(?![a-z2-7])")
_TAG: Final = re.compile(r"\[#([^\]\[\s]{1,64})-([A-Za-z2-7]{2})\]")
_TAG_SEARCHED_CHARS: Final = 1_000
_MAX_LOCAL_BYTES: Final = 64
_LEAST_MAIL_ID: Final = 32
_SEARCHED_CHARS: Final = 65_536
_MAX_FOUND: Final = 64


class TokenKind(IntEnum):
    """Where a token stood."""

    MESSAGE = 1  #: Message-ID, X-Ticketmail-Id: one submission
    ROOT = 2  #: the first id of a thread's References: one ticket
    REPLY = 3  #: a plus-address in Reply-To
    BOUNCE = 4  #: the return path (VERP)
    MARKER = 5  #: in the body, where an answer quotes it


@dataclass(frozen=True, slots=True)
class Token:
    """A verified token. ``tag`` is ``NO_TAG`` where the mail had several recipients."""

    kind: TokenKind
    ref: bytes
    tag: bytes = NO_TAG


def ref_for(secret: bytes, submission_id: UUID) -> bytes:
    """The ref of a submission: computed, so that a repeated submit needs no read, yet unguessable without the secret."""
    return _derive(secret, b"ref", submission_id.bytes)[:REF_BYTES]


def root_ref(secret: bytes, tenant: str, ticket: str) -> bytes:
    """The ref of a ticket's thread."""
    return _derive(secret, b"root", tenant.encode(), ticket.encode())[:REF_BYTES]


def id_digest(tenant: str, message_id: str) -> bytes:
    """What an id that we did not make (the host's own, a provider's, a customer's) is known by: its first REF_BYTES are the ref
    of a row that leads to a ticket. Not keyed: whoever knows the id may answer it, and what that is worth the rules say.
    ``message_id`` without brackets; case counts, for left of the @ it may (RFC 5322 section 3.6.4)."""
    return hashlib.sha256(f"ticketmail/id\0{tenant}\0{message_id.strip().strip('<>').strip()}".encode()).digest()


def is_mail_id(remote_id: str) -> bool:
    """Whether a server's word for what it took (``250 Ok ID``) is an id that it gives the mail: Amazon SES replaces the
    Message-ID by ``<ID@REGION.amazonses.com>``. Queue ids of servers are shorter, and could be guessed."""
    return len(remote_id) >= _LEAST_MAIL_ID


def id_ref(tenant: str, message_id: str) -> bytes:
    """The ref of such an id."""
    return id_digest(tenant, message_id)[:REF_BYTES]


def recipient_tag(secret: bytes, tenant: str, recipients: Sequence[str]) -> bytes:
    """4 bytes that bind a token to its one recipient (``Address.key``); NO_TAG for several. Keyed, so that nobody can search
    an address that collides."""
    if len(recipients) != 1:
        return NO_TAG
    return _derive(secret, b"tag", tenant.encode(), recipients[0].encode())[:TAG_BYTES]


def seal(secret: bytes, token: Token) -> str:
    """``token`` as text, with its MAC."""
    payload = bytes([VERSION, _key_id(secret), token.kind]) + token.ref + token.tag
    if len(payload) != _PAYLOAD_BYTES:
        raise ValueError(f"a token needs a ref of {REF_BYTES} bytes and a tag of {TAG_BYTES}")
    return _text(payload + _mac(secret, payload))


def unseal(text: str, secrets: Iterable[bytes]) -> Token | None:
    """The token that ``text`` is, if one of ``secrets`` made it. Time does not depend on which one, or how much fits."""
    raw = _bytes(text)
    if raw is None or raw[0] != VERSION or raw[2] not in set(TokenKind):
        return None
    payload, mac = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
    ours = False
    for secret in secrets:
        ours |= hmac.compare_digest(_mac(secret, payload), mac)
    if not ours:
        return None
    return Token(TokenKind(payload[2]), payload[3 : 3 + REF_BYTES], payload[3 + REF_BYTES :])


def find(text: str, secrets: Sequence[bytes]) -> Token | None:
    """The first of our tokens in ``text``: an id, an address, a header value. Linear; at most 64 KiB are looked at."""
    for count, match in enumerate(_FOUND.finditer(text[:_SEARCHED_CHARS].lower())):
        if count >= _MAX_FOUND:
            break
        token = unseal(match[0], secrets)
        if token is not None:
            return token
    return None


def token_for(secrets: Sequence[bytes], submission_id: UUID, *, tenant: str = "", recipients: Sequence[str] = ()) -> Token:
    """The token of one submission, made with the newest secret. ``recipients`` are ``Address.key``."""
    secret = secrets[0]
    return Token(TokenKind.MESSAGE, ref_for(secret, submission_id), recipient_tag(secret, tenant, recipients))


def message_id(
    secrets: Sequence[bytes], submission_id: UUID, domain: str, *, tenant: str = "", recipients: Sequence[str] = ()
) -> str:
    """The one Message-ID of a submission, ``<token@domain>``: the same each time, so that a retry is the same mail."""
    token = token_for(secrets, submission_id, tenant=tenant, recipients=recipients)
    return f"<{seal(secrets[0], token)}@{_id_domain(domain)}>"


def references_root(secrets: Sequence[bytes], tenant: str, ticket: str, domain: str) -> str:
    """The id that a thread's References begin with, ``<root.token@domain>``: what many clients keep when they drop the rest."""
    token = Token(TokenKind.ROOT, root_ref(secrets[0], tenant, ticket))
    return f"<root.{seal(secrets[0], token)}@{_id_domain(domain)}>"


def x_header(
    secrets: Sequence[bytes], submission_id: UUID, *, tenant: str = "", recipients: Sequence[str] = ()
) -> tuple[str, str]:
    """``X-Ticketmail-Id`` and its value: it survives where a provider replaces the Message-ID, and comes back in a DSN."""
    return X_HEADER, seal(secrets[0], token_for(secrets, submission_id, tenant=tenant, recipients=recipients))


def reply_address(
    secrets: Sequence[bytes], submission_id: UUID, base: str, *, tenant: str = "", recipients: Sequence[str] = ()
) -> str:
    """``support+TOKEN@example.com`` of ``base`` (``support@example.com``): a Reply-To that leads back even where all ids are
    lost. For servers that take plus-addresses (RFC 5233). Raises ValueError if it does not fit 64 bytes before the @."""
    return _plus(secrets, TokenKind.REPLY, submission_id, base, tenant, recipients)


def bounce_address(
    secrets: Sequence[bytes], submission_id: UUID, base: str, *, tenant: str = "", recipients: Sequence[str] = ()
) -> str:
    """``bounces+TOKEN@example.com`` of ``base``: a return path of one mail's own (VERP). Raises as :func:`reply_address`."""
    return _plus(secrets, TokenKind.BOUNCE, submission_id, base, tenant, recipients)


def body_marker(secrets: Sequence[bytes], submission_id: UUID, *, tenant: str = "", recipients: Sequence[str] = ()) -> str:
    """``[ref TOKEN]``, for the end of a text: believed only where it is quoted."""
    return f"[ref {_sealed(secrets, TokenKind.MARKER, submission_id, tenant, recipients)}]"


def subject_tag(secrets: Sequence[bytes], tenant: str, ticket: str) -> str:
    """``[#4711-QF]``: for people, and a last resort. The two letters are keyed, so that a number alone is no tag (they are no
    proof either: 1 of 1024 guesses fits)."""
    return f"[#{ticket}-{_letters(secrets[0], tenant, ticket)}]"


def find_tag(subject: str, secrets: Sequence[bytes], tenant: str) -> str | None:
    """The ticket that a tag in ``subject`` names, if its letters are right."""
    for match in _TAG.finditer(subject[:_TAG_SEARCHED_CHARS]):
        if any(hmac.compare_digest(_letters(one, tenant, match[1]), match[2].upper()) for one in secrets):
            return match[1]
    return None


def _letters(secret: bytes, tenant: str, ticket: str) -> str:
    return base64.b32encode(_derive(secret, b"subject", tenant.encode(), ticket.encode()))[:2].decode("ascii")


def _plus(
    secrets: Sequence[bytes], kind: TokenKind, submission_id: UUID, base: str, tenant: str, recipients: Sequence[str]
) -> str:
    local, _, domain = base.rpartition("@")
    made = f"{local}+{_sealed(secrets, kind, submission_id, tenant, recipients)}"
    if len(made.encode()) > _MAX_LOCAL_BYTES:
        raise ValueError(f"{local!r} is too long for a token behind it: at most {_MAX_LOCAL_BYTES - TOKEN_CHARS - 1} bytes fit")
    return f"{made}@{domain}"


def _sealed(secrets: Sequence[bytes], kind: TokenKind, submission_id: UUID, tenant: str, recipients: Sequence[str]) -> str:
    token = Token(kind, ref_for(secrets[0], submission_id), recipient_tag(secrets[0], tenant, recipients))
    return seal(secrets[0], token)


def _id_domain(domain: str) -> str:
    if not domain:
        raise ValueError("an id needs a domain: set message_id_domain, or a sender")
    return ascii_domain(domain)


def _derive(secret: bytes, purpose: bytes, *parts: bytes) -> bytes:
    """A MAC of length-framed parts, so that no two lists of parts look alike."""
    framed = purpose + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(secret, b"ticketmail/1/" + framed, "sha256")


def _mac(secret: bytes, payload: bytes) -> bytes:
    return _derive(secret, b"token", payload)[:MAC_BYTES]


@lru_cache(maxsize=16)
def _key_id(secret: bytes) -> int:
    """A hint for people which key made it; verifying tries all, for a byte is no proof."""
    return _derive(secret, b"key-id")[0]


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _bytes(text: str) -> bytes | None:
    if len(text) != TOKEN_CHARS or not text.isascii():
        return None
    try:
        raw = base64.b32decode(text.upper() + "======")
    except (binascii.Error, ValueError):
        return None
    # The last character has spare bits: only one spelling of a token is ours.
    return raw if _text(raw) == text.lower() else None
