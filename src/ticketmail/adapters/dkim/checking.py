"""Checks the signatures of one mail with dkimpy, and decides what they are worth. Bounded in number; in time only by a cage.

dkimpy (1.1.8, read) does the arithmetic only. By itself it tells a DNS time-out from a wrong signature in its log alone, and
takes SHA-1, keys that are only tested, an ``x=`` of ten hours ago, and keys so long that they cost minutes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import dkim
from dkim.canonicalization import CanonicalizationPolicy, InvalidCanonicalizationPolicyError
from dkim.util import InvalidTagValueList, parse_tag_value

from ticketmail.adapters.dkim.coverage import Tags, left_open, place, record_trouble, shortcoming
from ticketmail.adapters.dkim.lookup import Away, Records
from ticketmail.domain.received import Signature

#: Signatures that are looked at, from the top; a mail has one to three. Seals: RFC 8617 allows 50, mail has one to three.
MOST_SIGNATURES: Final = 5
MOST_SEALS: Final = 5
_HEADER_BYTES: Final = 256 * 1024
_END: Final = re.compile(rb"\r?\n\r?\n")
#: dkimpy's patterns take time that grows with the square of a run of blanks: a longest run in the header, and the sum of squares.
_LONG_BLANK: Final = re.compile(rb"\s{1000}")
_BLANKS: Final = re.compile(rb"[\t ]{8,}")
_MOST_BLANKS: Final = 50_000_000
_SAID_CHARS: Final = 2_000
_INSTANCE: Final = re.compile(rb"^\s*i\s*=\s*\d+\s*;", re.IGNORECASE)
#: RSA (RFC 8301 section 3.2, RFC 6376 section 3.3.3); an exponent is 65537 nearly always, and a long one costs minutes.
_KEY_BITS: Final = (1024, 4096)
_EXPONENT: Final = (3, 2**32)
Result = Literal["pass", "fail", "neutral", "permerror", "temperror"]
#: What dkimpy and its parts raise for what strangers wrote, in the order of asking, and what it is.
_RAISED: Final[tuple[tuple[type[Exception], Result], ...]] = (
    (dkim.NaClNotFoundError, "neutral"),
    (dkim.KeyFormatError, "permerror"),
    (dkim.ValidationError, "fail"),
    (dkim.DKIMException, "permerror"),
    (InvalidTagValueList, "permerror"),
    (InvalidCanonicalizationPolicyError, "permerror"),
    (ValueError, "permerror"),  # binascii.Error and UnicodeError too
    (LookupError, "permerror"),
    (TypeError, "permerror"),
    (ArithmeticError, "permerror"),
    (AttributeError, "permerror"),
    (AssertionError, "permerror"),
)
_TROUBLE: Final = tuple(one for one, _ in _RAISED)


class _Short(Exception):
    """It proves nothing: the result, and why."""

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.result = result


@dataclass(frozen=True, slots=True)
class Allowed:
    """Seconds that the DNS may take: for one name, for one mail."""

    lookup_s: float = 3.0
    mail_s: float = 8.0


class Checking:
    """``records`` asks the DNS. ``now_s`` is UTC seconds, ``clock`` seconds of no epoch. Not thread-safe."""

    def __init__(
        self,
        records: Records,
        *,
        allowed: Allowed | None = None,
        now_s: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._allowed = allowed or Allowed()
        self._now_s = now_s
        self._clock = clock

    def check(self, raw: bytes, author: bytes) -> list[Signature]:
        """See ``SignatureCheck``."""
        hard = _too_hard(raw)
        if hard:
            return [Signature(method="dkim", result="neutral", reason=hard)]
        try:
            mail = dkim.DKIM(raw)
        except _TROUBLE as error:
            return [Signature(method="dkim", result="permerror", reason=f"The header cannot be read ({type(error).__name__}).")]
        keys = _Keys(self._records, self._allowed, self._clock)
        return [*self._signatures(mail, author, keys), *self._chain(raw, mail, author, keys)]

    def _signatures(self, mail: Any, author: bytes, keys: _Keys) -> list[Signature]:
        fields = _named(mail, b"dkim-signature")
        found = [self._signature(mail, index, field, author, keys) for index, field in enumerate(fields[:MOST_SIGNATURES])]
        more = len(fields) - len(found)
        return [
            *found,
            *([Signature(method="dkim", result="neutral", reason=f"{more} more were not looked at.")] if more else []),
        ]

    def _signature(self, mail: Any, index: int, field: bytes, author: bytes, keys: _Keys) -> Signature:
        tags: Tags = {}
        try:
            tags = parse_tag_value(field)
            record = self._worth_checking(mail, tags, author, keys)
            holds = mail.verify(index, dnsfunc=lambda name, timeout=0: record)
            result, reason = ("pass", left_open(tags, mail.headers)) if holds is True else ("fail", "it is of something else")
        except _Short as error:
            result, reason = error.result, str(error)
        except _TROUBLE as error:
            result, reason = _translated(error)
        selector, domain = place(tags)
        return Signature.model_validate(
            {"method": "dkim", "result": result, "reason": reason, "domain": domain, "selector": selector}
        )

    def _worth_checking(self, mail: Any, tags: Tags, author: bytes, keys: _Keys) -> bytes:
        """The record of its key. Raises _Short."""
        short = shortcoming(tags, mail.headers, author, _body_bytes(mail, tags), int(self._now_s()))
        if short:
            raise _Short("neutral", short)
        return keys.of(tags)

    def _chain(self, raw: bytes, mail: Any, author: bytes, keys: _Keys) -> list[Signature]:
        """Seals, the newest first: all of them hold, or none counts."""
        seals = _named(mail, b"arc-seal")
        if not seals:
            return []
        try:
            if len(seals) > MOST_SEALS:
                raise _Short("neutral", f"there are more than {MOST_SEALS}")
            chain = dkim.ARC(raw)
            newest = _newest(chain)
            short = shortcoming(newest, mail.headers, author, _body_bytes(mail, newest), int(self._now_s()))
            if short:
                raise _Short("neutral", short)
            verdict, sets, reason = chain.verify(dnsfunc=keys.for_seals(_tags_of(mail)))
        except _Short as error:
            return [Signature(method="arc", result=error.result, reason=str(error))]
        except _TROUBLE as error:
            result, reason = _translated(error)
            return [Signature(method="arc", result=result, reason=reason)]
        if verdict == dkim.CV_Pass:
            return [_sealed(one) for one in sets]
        away = keys.away is not None
        return [Signature(method="arc", result="temperror" if away else "fail", reason=keys.away or reason[:200])]


class _Keys:
    """Keys of one mail's signatures, each asked for once, as long as its time lasts."""

    def __init__(self, records: Records, allowed: Allowed, clock: Callable[[], float]) -> None:
        self._records = records
        self._allowed = allowed
        self._clock = clock
        self._until_s = clock() + allowed.mail_s
        self._found: dict[str, Sequence[bytes] | Away] = {}
        self.away: str | None = None  #: why the DNS could not be asked, once it could not

    def of(self, tags: Tags) -> bytes:
        """The record that the signature names, fit for it. Raises _Short."""
        selector, domain = place(tags)
        if not selector or not domain:
            raise _Short("permerror", "it names no key")
        keys = [one for one in self._asked(f"{selector}._domainkey.{domain}.") if b"p=" in one]
        if len(keys) != 1:
            raise _Short("permerror", "there are several keys of that name" if keys else "there is no key of that name")
        trouble = record_trouble(_record(keys[0]), tags)
        if trouble:
            raise _Short("neutral" if "test" in trouble else "permerror", trouble)
        _check_size(keys[0])
        return keys[0]

    def for_seals(self, by_name: Mapping[bytes, Tags]) -> Callable[..., bytes | None]:
        """As dkimpy asks: no key is None. ``by_name`` are the tags of what names each key."""

        def asked(name: bytes, timeout: float = 0) -> bytes | None:
            try:
                return self.of(by_name.get(name.lower(), {}))
            except _Short:
                return None
            except _TROUBLE:
                return None

        return asked

    def _asked(self, name: str) -> Sequence[bytes]:
        if name not in self._found:
            self._found[name] = self._ask(name)
        found = self._found[name]
        if isinstance(found, Away):
            self.away = f"the DNS could not be asked ({found})"
            raise _Short("temperror", self.away)
        return found

    def _ask(self, name: str) -> Sequence[bytes] | Away:
        left_s = min(self._allowed.lookup_s, self._until_s - self._clock())
        if left_s <= 0:
            return Away("no time was left")
        try:
            return self._records(name, left_s)
        except Away as error:
            return error


def _too_hard(raw: bytes) -> str:
    """Why it is not looked at; '' if it is. Cheap: what would keep dkimpy busy until its process is ended."""
    end = _END.search(raw)
    head = raw[: end.end()] if end is not None else raw
    if len(head) > _HEADER_BYTES:
        return "The header is too long."
    if _LONG_BLANK.search(head) or sum(len(run[0]) ** 2 for run in _BLANKS.finditer(raw)) > _MOST_BLANKS:
        return "There are too many blanks in a row."
    return ""


def _record(text: bytes) -> Tags:
    """Raises what dkimpy raises."""
    tags: Tags = parse_tag_value(text)
    return tags


def _check_size(record: bytes) -> None:
    """Raises _Short for an RSA key that is too weak, or that would take minutes; else what dkimpy raises for no key."""
    if len(record) > 2_048:
        raise _Short("permerror", "the key is too long")
    key, bits, kind, _ = dkim.evaluate_pk("key", record)
    if kind == b"rsa" and not (_KEY_BITS[0] <= bits <= _KEY_BITS[1] and _EXPONENT[0] <= key["publicExponent"] <= _EXPONENT[1]):
        raise _Short("neutral", f"its RSA key is of {bits} bits, or of an odd exponent")


def _named(mail: Any, name: bytes) -> list[bytes]:
    return [value for one, value in mail.headers if one.lower() == name]


def _body_bytes(mail: Any, tags: Tags) -> int:
    """The length of what ``l=`` counts; 0 where it is not asked for."""
    if b"l" not in tags:
        return 0
    return len(CanonicalizationPolicy.from_c_value(tags.get(b"c", b"simple/simple")).canonicalize_body(mail.body))


def _newest(chain: Any) -> Tags:
    """The newest ARC-Message-Signature, which says what of the mail is covered as it is now."""
    highest, fields = chain.sorted_arc_headers()
    stamps = [value for number, (name, value) in fields if number == highest and name.lower() == b"arc-message-signature"]
    if len(stamps) != 1:
        raise _Short("fail", "the newest seal has no signature of its own")
    return {b"c": b"relaxed/relaxed", **parse_tag_value(stamps[0])}


def _tags_of(mail: Any) -> dict[bytes, Tags]:
    """Tags of seals and their signatures, by the name of their key as dkimpy asks for it."""
    found: dict[bytes, Tags] = {}
    for field in [*_named(mail, b"arc-seal"), *_named(mail, b"arc-message-signature")]:
        try:
            tags = parse_tag_value(field)
        except InvalidTagValueList:
            continue
        found[b"%b._domainkey.%b." % (tags.get(b"s", b"").lower(), tags.get(b"d", b"").lower())] = tags
    return found


def _sealed(one: dict[str, Any]) -> Signature:
    return Signature(
        method="arc",
        result="pass",
        domain=one["as-domain"].decode("ascii", "replace").lower(),
        selector=one["as-selector"].decode("ascii", "replace").lower(),
        said=_INSTANCE.sub(b"", one["aar-value"])[:_SAID_CHARS].decode("utf-8", "replace").strip(),
    )


def _translated(error: Exception) -> tuple[Result, str]:
    result = next(result for kind, result in _RAISED if isinstance(error, kind))
    said = str(error) if isinstance(error, dkim.DKIMException) else "it cannot be read"
    return result, f"{said[:200]} ({type(error).__name__})"
