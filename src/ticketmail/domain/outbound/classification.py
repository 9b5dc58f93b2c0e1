"""From outcome to fault: provider text > enhanced code > reply code > phase. Pure; the rules are data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from ticketmail.domain.outbound.codes import CODE_RULES, ENHANCED_RULES, HTTP_RULES
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken
from ticketmail.domain.outbound.rule import Rule
from ticketmail.domain.outbound.wording import TEXT_RULES

#: Nobody is asked to wait longer than this by a server's word (seconds).
RETRY_AFTER_MOST_S: Final = 86_400.0
#: Text beyond this is neither searched nor kept.
_TEXT_CHARS: Final = 2000
_BEFORE_MAIL: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.TLS, Phase.AUTH})
_AGAIN: Final = re.compile(
    r"(?:again|retry|wait|back|defer\w*|in|after|for)[ :=]{1,3}(?:in |after |for |at least )?(\d{1,6}) ?"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_NAME_FAILED: Final = re.compile(r"gaierror|name or service|getaddrinfo|nodename|resol(?:ve|ution)|\bDNS\b", re.IGNORECASE)


def classify(outcome: Outcome, *, profile: str = "", http: bool = False, rules: Sequence[Rule] = ()) -> Fault:
    """What the domain makes of an outcome that is not Taken.

    ``profile`` is the account's (``office365``). ``http``: ``Reply.code`` is an HTTP status. ``rules`` are an adapter's own;
    they come first. An unknown 4yz is retried, an unknown 5yz becomes a visible dead letter; neither suppresses.

    Raises:
        ValueError: a Taken outcome has no fault.
    """
    if isinstance(outcome, Taken):
        raise ValueError("a taken mail has no fault")
    if isinstance(outcome, Refused):
        return _refused(outcome, profile, http, rules)
    if isinstance(outcome, NotReached):
        return _not_reached(outcome)
    return Fault("unknown", FaultScope.GATEWAY, Advice.UNKNOWN, text=outcome.error[:_TEXT_CHARS])


def retry_after_s(text: str) -> float | None:
    """Seconds that a server's text asks to wait (``try again in 5 minutes``), at most a day; None if it does not."""
    match = _AGAIN.search(text[:_TEXT_CHARS])
    if match is None:
        return None
    seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2][0].lower()]
    return float(min(max(seconds, 1), RETRY_AFTER_MOST_S))


def _refused(outcome: Refused, profile: str, http: bool, rules: Sequence[Rule]) -> Fault:
    reply = outcome.reply
    for tier in (rules, TEXT_RULES, *((HTTP_RULES,) if http else (ENHANCED_RULES, CODE_RULES))):
        rule = _first(tier, reply, outcome.phase, profile, http)
        if rule is not None:
            return _fault(rule, outcome, http)
    return _by_digit(outcome)


def _first(rules: Iterable[Rule], reply: Reply, phase: Phase, profile: str, http: bool) -> Rule | None:
    code, text = str(reply.code), reply.text[:_TEXT_CHARS]
    for rule in rules:
        if rule.enhanced and not reply.enhanced and not rule.text:
            continue
        if _possible(rule, phase, http) and rule.fits(
            code=code, enhanced=reply.enhanced, text=text, phase=phase, profile=profile
        ):
            return rule
    return None


def _possible(rule: Rule, phase: Phase, http: bool) -> bool:
    """Nobody can be at fault of whom the server has not heard yet."""
    if phase in _BEFORE_MAIL:
        return rule.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY)
    return http or phase is not Phase.MAIL or rule.advice is not Advice.FAIL


def _fault(rule: Rule, outcome: Refused, http: bool) -> Fault:
    asked = _asked_s(outcome)
    advice, cause, scope = rule.advice, rule.cause, rule.scope
    if http and advice is Advice.UNKNOWN and asked is not None:
        # 503 with Retry-After is a refusal in so many words, whenever it comes.
        advice, cause, scope = Advice.WAIT, "gateway-busy", FaultScope.GATEWAY
    if cause == "desync" and outcome.phase is Phase.DOT:
        advice = Advice.UNKNOWN
    return Fault(
        cause,
        scope,
        advice,
        retry_after_s=asked if asked is not None else rule.pause_s,
        # An answer to the whole mail does not say which of its recipients it means.
        suppress=rule.suppress and (http or outcome.phase is Phase.RCPT),
        alarm=rule.alarm,
        text=_shown(outcome.reply),
    )


def _asked_s(outcome: Refused) -> float | None:
    if outcome.retry_after_s is not None and outcome.retry_after_s >= 0:
        return min(outcome.retry_after_s, RETRY_AFTER_MOST_S)
    return retry_after_s(outcome.reply.text) if 400 <= outcome.reply.code < 500 or outcome.reply.code == 503 else None


def _by_digit(outcome: Refused) -> Fault:
    text = _shown(outcome.reply)
    if outcome.phase in _BEFORE_MAIL:
        return Fault("account-setup", FaultScope.ACCOUNT, Advice.WAIT, alarm=True, text=text)
    scope = FaultScope.RECIPIENT if outcome.phase is Phase.RCPT else FaultScope.MESSAGE
    if 400 <= outcome.reply.code < 500:
        return Fault("transient", scope, Advice.RETRY, retry_after_s=_asked_s(outcome), text=text)
    return Fault("unknown-refusal", scope, Advice.DEAD, text=text)


def _not_reached(outcome: NotReached) -> Fault:
    text = outcome.error[:_TEXT_CHARS]
    if outcome.tls:
        return Fault("tls-failed", FaultScope.GATEWAY, Advice.WAIT, alarm=True, text=text)
    if outcome.phase in (Phase.BODY, Phase.DOT):
        return Fault("connection-cut", FaultScope.GATEWAY, Advice.RETRY, text=text)
    if outcome.phase is Phase.CONNECT and _NAME_FAILED.search(text):
        return Fault("gateway-name", FaultScope.GATEWAY, Advice.WAIT, text=text)
    return Fault("gateway-unreachable", FaultScope.GATEWAY, Advice.WAIT, text=text)


def _shown(reply: Reply) -> str:
    return str(reply)[:_TEXT_CHARS]
