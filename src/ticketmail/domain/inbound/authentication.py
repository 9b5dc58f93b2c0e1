"""Who sent a mail: what a server that we trust says (Authentication-Results, RFC 8601), else signatures that were checked. Pure.

Anybody can write such a header. What counts is the topmost block of the one server that hands mail to us: its header stands above
all that came with the mail (RFC 8601 section 5), and a settings name, its authserv-id, says which one that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.received import Signature

HEADER: Final = "Authentication-Results"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_TOKEN: Final = re.compile(rf'{_QUOTED}|\\.|[()";\\]|[^()";\\]+', re.S)
_RESULT: Final = re.compile(r"^\s*(?P<method>[a-z0-9-]+)(?:/\d+)?\s*=\s*(?P<result>[a-z]+)\b(?P<rest>.*)$", re.I | re.S)
#: A value may be quoted in part: the quoted local part of an address is no value of its own. What is quoted alone is passed over.
_PROPERTY: Final = re.compile(
    rf'(?<!\S)(?:(?P<name>[a-z0-9-]+(?:\.[a-z0-9_-]+)?)\s*=\s*(?P<value>(?:{_QUOTED}|\\.|[^\s"\\])+)|{_QUOTED})', re.I | re.S
)
_WHOLE: Final = re.compile(_QUOTED, re.S)
_LONGEST: Final = 8_192
_MOST_BLOCKS: Final = 20
_OF_SIGNATURES: Final = frozenset({"dkim", "dmarc", "arc"})


@dataclass(frozen=True, slots=True)
class Authenticated:
    """``domains`` are those that the mail was proven for; ``verdicts`` what was said, for people; ``failed``: DMARC said that
    From is forged."""

    domains: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    failed: bool = False

    def covers(self, domain: str) -> bool:
        """Whether a mail from ``domain`` is proven: for itself, or (relaxed alignment, RFC 7489 section 3.1) a domain above it.

        Not by one below it: without a list of public suffixes nobody knows that ``evil.github.io`` is not ``github.io``.
        """
        own = domain.lower()
        return any(own == one or own.endswith(f".{one}") for one in self.domains if "." in one)


def authenticated(headers: Sequence[str], trusted: Sequence[str], sender_domain: str) -> Authenticated:
    """Read the topmost of ``headers`` (values of Authentication-Results, from the top) that a trusted server wrote.

    ``trusted`` are authserv-ids; none: nothing is believed. A trusted server may write several headers in a row; the first one
    that is somebody else's ends them. DMARC pass proves ``sender_domain``; DKIM its ``header.d`` and SPF its MAIL FROM domain.
    """
    ids = {one.lower() for one in trusted}
    domains: dict[str, None] = {}
    verdicts: list[str] = []
    failed = False
    for value in headers[:_MOST_BLOCKS]:
        blocks = _blocks(value)
        if next(blocks, "").partition(" ")[0].lower() not in ids:
            break
        for method, result, properties in map(_result, blocks):
            if method:
                verdicts.append(f"{method}={result}")
            failed |= (method, result) == ("dmarc", "fail")
            proven = _proven(method, properties, sender_domain) if result == "pass" else ""
            if proven:
                domains[proven] = None
    return Authenticated(tuple(domains), tuple(dict.fromkeys(verdicts)), failed)


def spoke_of_signatures(proof: Authenticated) -> bool:
    """Whether a trusted server looked at them: then its word holds. One that looked at the path alone (SPF) leaves them to us."""
    return proof.failed or any(one.partition("=")[0] in _OF_SIGNATURES for one in proof.verdicts)


def vouched(signatures: Sequence[Signature], sealers: Sequence[str], sender_domain: str) -> Authenticated:
    """What checked signatures prove: DKIM the domain that signed. What sealers found counts from the newest down, as long as
    they are among ``sealers``, for anybody can seal (RFC 8617 section 9.5). Forgery is never proven: signatures break on the way.
    """
    trusted = {one.lower() for one in sealers}
    domains = {one.domain.lower(): None for one in signatures if (one.method, one.result) == ("dkim", "pass")}
    for one in signatures:
        if one.method == "arc":
            if one.result != "pass" or one.domain.lower() not in trusted:
                break  # a seal below may be about another mail
            server = next(_blocks(one.said), "").partition(" ")[0]
            domains |= dict.fromkeys(authenticated([one.said], [server], sender_domain).domains)
    return Authenticated(tuple(domains), tuple(dict.fromkeys(f"{one.method}={one.result}" for one in signatures)))


def _blocks(value: str) -> Iterator[str]:
    """The authserv-id, then each result; comments taken out. Nothing of what does not close its comments and quotes: a sender
    chose the words in them (``MAIL FROM:<"x; dmarc=pass"@...>``), so a ``;`` there ends no result."""
    blocks, depth = [""], 0
    for one in _TOKEN.findall(value[:_LONGEST]):
        if one == "(":
            depth += 1
        elif one == ")":
            depth = max(0, depth - 1)
        elif one == '"':
            return iter(())
        elif depth == 0 and one == ";":
            blocks.append("")
        elif depth == 0:
            blocks[-1] += one
        blocks[-1] += " " if one in "()" else ""
    return iter(()) if depth else (block.strip() for block in blocks)


def _result(block: str) -> tuple[str, str, dict[str, str]]:
    match = _RESULT.match(block)
    if match is None:
        return "", "", {}
    properties = {one["name"].lower(): _unquoted(one["value"]) for one in _PROPERTY.finditer(match["rest"]) if one["name"]}
    return match["method"].lower(), match["result"].lower(), properties


def _unquoted(value: str) -> str:
    return value[1:-1] if _WHOLE.fullmatch(value) else value


def _proven(method: str, properties: dict[str, str], sender_domain: str) -> str:
    if method == "dmarc":
        return (properties.get("header.from") or sender_domain).rpartition("@")[2].lower()
    if method == "dkim":
        return (properties.get("header.d") or properties.get("header.i", "")).rpartition("@")[2].lower()
    if method == "spf":
        return properties.get("smtp.mailfrom", "").rpartition("@")[2].lower()
    return ""
