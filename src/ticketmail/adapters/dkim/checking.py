"""DKIM (RFC 6376) and ARC (RFC 8617) of one mail. What a signature does not cover, or a weak one covers, is no proof.

dkimpy does the cryptography. It was written for mail servers, whose mail is bounded: a mail that would keep it busy for long is
not checked.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

import dkim

from ticketmail.adapters.dkim.records import ANSWER_S, Lookup, Records, txt_of
from ticketmail.domain.received import Signature

#: Of one mail (bytes): all of it, its header, one signature.
MOST_BYTES: Final = 40 * 1024 * 1024
MOST_HEADER: Final = 128 * 1024
MOST_FIELD: Final = 6_000
#: Signatures that are looked at, from the top; seals of a chain (RFC 8617 allows 50; more than a few are never seen).
MOST_SIGNATURES: Final = 5
MOST_SEALS: Final = 10
#: RFC 8301: shorter keys, and SHA-1, prove nothing.
LEAST_KEY_BITS: Final = 1024
#: dkimpy looks for blanks at ends of lines in time that grows with the square of a run of blanks: their sum.
MOST_BLANKS: Final = 50_000_000

_END: Final = re.compile(rb"\r?\n\r?\n")
_BLANKS: Final = re.compile(rb"[\t ]{8,}")
_LONG_BLANK: Final = re.compile(rb"\s{100}")
_LONE: Final = re.compile(rb"\r(?!\n)|\0")
_INSTANCE: Final = re.compile(rb"^\s*i\s*=\s*\d+\s*;", re.IGNORECASE)
_silent = logging.getLogger("ticketmail.dkim.quiet")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class SignatureChecker:
    """Synchronous, thread-safe. Never raises for what a mail, a key or a DNS server is."""

    def __init__(self, lookup: Lookup = txt_of, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._lookup = lookup
        self._monotonic_s = monotonic_s

    def __call__(self, raw: bytes) -> tuple[Signature, ...]:
        """The mail's signatures from the top, then its ARC chain if there is one; () for mail that nobody signed."""
        end = _END.search(raw)
        head = raw[: end.end()] if end is not None else raw
        names = re.findall(rb"(?im)^(dkim-signature|arc-seal)\s*:", head[: 2 * MOST_HEADER])
        if not names:
            return ()
        if reason := _too_hard(raw, head):
            return (Signature(method="dkim", result="neutral", reason=reason),)
        try:
            signer = dkim.DKIM(raw, logger=_silent, minkey=LEAST_KEY_BITS, timeout=ANSWER_S)
            chain = dkim.ARC(raw, logger=_silent, minkey=LEAST_KEY_BITS, timeout=ANSWER_S)
        except Exception as error:  # whatever a header can do to a parser
            return (Signature(method="dkim", result="permerror", reason=f"Its header cannot be read: {type(error).__name__}."),)
        records = Records(self._lookup, self._monotonic_s)
        fields = [value for name, value in signer.headers if name.lower() == b"dkim-signature"]
        found = [_signature(signer, place, field, records) for place, field in enumerate(fields[:MOST_SIGNATURES])]
        seals = sum(name.lower() == b"arc-seal" for name in names)
        return (*found, *([_chain(chain, seals, records)] if seals else []))


def _too_hard(raw: bytes, head: bytes) -> str:
    """Why it is not checked; '' if it is."""
    if len(raw) > MOST_BYTES or len(head) > MOST_HEADER:
        return "Not checked: the mail, or its header, is too large."
    if _LONE.search(head):
        return "Not checked: bare carriage returns or NUL in the header, which programs read in different ways."
    if sum(len(run[0]) ** 2 for run in _BLANKS.finditer(raw)) > MOST_BLANKS:
        return "Not checked: too many blanks in a row."
    return ""


def _signature(signer: Any, place: int, field: bytes, records: Records) -> Signature:
    if len(field) > MOST_FIELD or _LONG_BLANK.search(field):
        return Signature(method="dkim", result="neutral", reason="Not checked: the signature is too long.")
    signer.domain, signer.selector, signer.signature_fields = b"", b"", {}
    try:
        passed = signer.verify(place, dnsfunc=records)
    except dkim.DKIMException as error:
        return _made(signer, *_refused(str(error)))
    except Exception as error:  # whatever a signature or a key can do to it
        return _made(signer, "permerror", f"It cannot be read: {type(error).__name__}.")
    if not passed:
        return _made(signer, *_why_not(records))
    weakness = _weakness(signer, records)
    return _made(signer, "neutral", weakness) if weakness else _made(signer, "pass", "")


def _why_not(records: Records) -> tuple[str, str]:
    if records.trouble:
        return "temperror", f"DNS did not answer: {records.trouble}."
    if records.last is None:
        return "permerror", "There is no key under that name."
    if not _tags(records.last).get(b"p"):
        return "permerror", "The key was withdrawn."
    return "fail", "The mail was changed after it was signed, or the key is another one."


def _weakness(signer: Any, records: Records) -> str:
    """What takes the proof from a signature that is right."""
    fields = signer.signature_fields
    if b"sha1" in fields.get(b"a", b""):
        return "SHA-1 proves nothing (RFC 8301)."
    if b"l" in fields:
        return "It covers a part of the body only (l=): anybody may have written on (RFC 6376 section 8.2)."
    if b"y" in _tags(records.last or b"").get(b"t", b"").split(b":"):
        return "Its key is for tests (t=y)."
    return ""


def _chain(chain: Any, seals: int, records: Records) -> Signature:
    if seals > MOST_SEALS or any(_is_long(value) for name, value in chain.headers if name.lower().startswith(b"arc-")):
        return Signature(method="arc", result="neutral", reason="Not checked: the chain is too long.")
    try:
        verdict, sets, reason = chain.verify(dnsfunc=records)
    except Exception as error:
        return Signature(method="arc", result="permerror", reason=f"It cannot be read: {type(error).__name__}.")
    last = sets[0] if sets else {}
    domain, selector = _text(last.get("as-domain", b"")), _text(last.get("as-selector", b""))
    if verdict != dkim.CV_Pass:
        result = ("temperror", f"DNS did not answer: {records.trouble}.") if records.trouble else ("fail", reason[:200])
        return Signature(method="arc", domain=domain, selector=selector, result=result[0], reason=result[1])
    if last.get("ams-domain", b"").lower() != last.get("as-domain", b"").lower():
        return Signature(
            method="arc", domain=domain, selector=selector, result="neutral", reason="Two domains made the last seal."
        )
    said = _text(_INSTANCE.sub(b"", last.get("aar-value", b"")))[:4_000].strip()
    return Signature(method="arc", domain=domain, selector=selector, result="pass", said=said)


def _is_long(field: bytes) -> bool:
    return len(field) > MOST_FIELD or _LONG_BLANK.search(field) is not None


def _made(signer: Any, result: Any, reason: str) -> Signature:
    domain, selector = _text(signer.domain or b""), _text(signer.selector or b"")
    return Signature(method="dkim", domain=domain, selector=selector, result=result, reason=reason)


def _refused(text: str) -> tuple[str, str]:
    if text.startswith("body hash mismatch"):
        return "fail", "The body was changed after it was signed."
    return "permerror", f"It does not hold: {text[:150]}"


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").lower()[:4_096]


def _tags(record: bytes) -> dict[bytes, bytes]:
    """Of a key record, RFC 6376 section 3.6.1; what is no tag is left out."""
    pairs = (part.partition(b"=") for part in record.split(b";"))
    return {name.strip(): b"".join(value.split()) for name, mark, value in pairs if mark}
