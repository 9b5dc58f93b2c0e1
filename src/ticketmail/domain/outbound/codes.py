"""What codes mean where no wording said more: enhanced codes, then reply codes by phase; HTTP statuses.

Sources: RFC 5321, 3463, 5248, 7372, 7504, 7505, 4954, 6531, 9110, and providers' pages. Where two differ, the mail is kept.
"""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.outcome import Phase
from ticketmail.domain.outbound.rule import Rule

_R, _M, _A, _G = FaultScope.RECIPIENT, FaultScope.MESSAGE, FaultScope.ACCOUNT, FaultScope.GATEWAY
_RETRY, _WAIT, _FAIL, _DEAD, _SPLIT = Advice.RETRY, Advice.WAIT, Advice.FAIL, Advice.DEAD, Advice.SPLIT
_UNKNOWN: Final = Advice.UNKNOWN
_RCPT: Final = frozenset({Phase.RCPT})
_EARLY: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.TLS})
_LATE: Final = frozenset({Phase.DATA, Phase.BODY, Phase.DOT})

#: RFC 3463 and 5248. Also for codes outside of the class that the reply code says.
ENHANCED_RULES: Final = (
    Rule(
        "quota", _A, _WAIT, enhanced=r"5\.1\.90|[45]\.4\.5", alarm=True, source="Office 365 5.1.90, Google 5.4.5, Emailit 4.4.5"
    ),
    Rule("throttled-connections", _A, _WAIT, code="432", enhanced=r"4\.3\.2", pause_s=15.0, source="Office 365"),
    Rule("throttled-rate", _A, _WAIT, enhanced=r"4\.7\.28", pause_s=1800.0, source="Google"),
    Rule("gateway-busy", _G, _WAIT, enhanced=r"4\.3\.2", source="RFC 3463: system not accepting network messages"),
    Rule(
        "account-blocked",
        _A,
        _WAIT,
        enhanced=r"4\.7\.12|5\.7\.13",
        alarm=True,
        source="RFC 5248, RFC 4954: a password transition",
    ),
    Rule("auth-temporary", _A, _WAIT, code="454", enhanced=r"4\.7\.0", pause_s=300.0, source="RFC 4954 section 6"),
    Rule("auth-failed", _A, _WAIT, enhanced=r"5\.7\.(?:8|9|11|14)", alarm=True, source="RFC 4954, Google 5.7.14"),
    Rule(
        "auth-failed",
        _A,
        _WAIT,
        code="53[0458]",
        enhanced=r"5\.7\.\d+",
        alarm=True,
        source="RFC 4954 section 6, Office 365 535 5.7.139",
    ),
    Rule("tls-failed", _G, _WAIT, enhanced=r"[45]\.7\.30|[45]\.7\.10", alarm=True, source="RFC 5248, RFC 7672"),
    Rule("reputation", _A, _RETRY, enhanced=r"5\.7\.25", alarm=True, source="RFC 7372: reverse DNS"),
    Rule(
        "sender-authentication",
        _A,
        _RETRY,
        enhanced=r"5\.7\.(?:2[0-4]|26|29)",
        alarm=True,
        source="RFC 7372: SPF, DKIM, DMARC, ARC",
    ),
    Rule(
        "sender-refused",
        _M,
        _DEAD,
        enhanced=r"5\.7\.60",
        alarm=True,
        source="Exchange SendAs; one sender must not stop the account",
    ),
    Rule(
        "sender-refused", _M, _DEAD, enhanced=r"5\.1\.[78]", alarm=True, source="RFC 3463: bad sender's mailbox or system address"
    ),
    Rule("relay-denied", _M, _DEAD, enhanced=r"5\.7\.54", alarm=True, source="Exchange"),
    Rule("unknown-domain", _R, _FAIL, enhanced=r"5\.1\.(?:2|10)", suppress=True, source="RFC 3463, RFC 7505"),
    Rule("moved", _R, _FAIL, enhanced=r"5\.1\.6", suppress=True, source="RFC 3463"),
    Rule("bad-address", _R, _FAIL, enhanced=r"5\.1\.3", suppress=True, source="RFC 3463"),
    Rule("unknown-recipient", _R, _FAIL, enhanced=r"5\.1\.1", suppress=True, source="RFC 3463"),
    Rule("mailbox-disabled", _R, _FAIL, enhanced=r"5\.2\.1", suppress=True, source="RFC 3463"),
    Rule("mailbox-full", _R, _RETRY, enhanced=r"[45]\.2\.2", source="RFC 3463"),
    Rule("mailbox-full", _R, _RETRY, enhanced=r"4\.3\.1", phases=_RCPT, source="RFC 3463: the other side's storage"),
    Rule("gateway-full", _G, _WAIT, enhanced=r"4\.3\.1", source="RFC 3463: the server's storage"),
    Rule("too-large", _M, _DEAD, enhanced=r"5\.3\.4|5\.2\.3|5\.2\.270", source="RFC 3463, Exchange"),
    Rule("smtputf8-unsupported", _R, _FAIL, enhanced=r"5\.6\.7", source="RFC 6531 section 3.5"),
    Rule("content-encoding", _M, _DEAD, enhanced=r"5\.6\.\d+", source="RFC 3463"),
    Rule("loop", _M, _DEAD, enhanced=r"5\.4\.(?:6|14)", alarm=True, source="RFC 3463, Exchange"),
    Rule("too-many-recipients", _R, _SPLIT, enhanced=r"[45]\.5\.3", source="RFC 3463"),
    Rule("protocol", _M, _RETRY, code="50.", enhanced=r"5\.5\.\d+", alarm=True, source="RFC 3463: our bug"),
    Rule("greylisted", _R, _RETRY, code="45[01]", enhanced=r"4\.7\.1", phases=_RCPT, source="reliability 5: first contact"),
    Rule("content-refused", _M, _DEAD, enhanced=r"5\.7\.0", phases=_LATE, source="reliability 5: after the dot"),
    Rule("policy", _M, _DEAD, code="5..", enhanced=r"5\.7\.1", source="no reason given, so no suppression"),
    Rule("gateway-busy", _G, _WAIT, code="421", source="RFC 5321 section 3.8: it closes the connection, whatever the detail"),
    Rule("transient", _R, _RETRY, enhanced=r"4\.[1-7]\.\d+", phases=_RCPT, source="RFC 3463"),
    Rule("transient", _M, _RETRY, code="4(?!21).*", enhanced=r"4\.[1-7]\.\d+", phases=_LATE | {Phase.MAIL}, source="RFC 3463"),
)

#: RFC 5321 section 4.2.3, where there was neither telling text nor enhanced code.
CODE_RULES: Final = (
    Rule("gateway-busy", _G, _WAIT, code="421", source="RFC 5321 section 3.8"),
    Rule("gateway-refuses", _G, _WAIT, code="554|521", phases=_EARLY, alarm=True, pause_s=300.0, source="RFC 5321 3.1, RFC 7504"),
    Rule("gateway-busy", _G, _WAIT, code="4..", phases=_EARLY, source="before any mail: the server's trouble"),
    Rule("gateway-refuses", _G, _WAIT, code="5..", phases=_EARLY, alarm=True, pause_s=300.0, source="before any mail"),
    Rule(
        "throttled-connections",
        _A,
        _WAIT,
        code="432",
        phases=frozenset({Phase.MAIL, Phase.RCPT}) | _LATE,
        pause_s=15.0,
        source="Office 365",
    ),
    Rule("account-blocked", _A, _WAIT, code="432|525", alarm=True, source="RFC 4954, RFC 5248"),
    Rule("auth-failed", _A, _WAIT, code="53[0458]", alarm=True, source="RFC 4954 section 6"),
    Rule("auth-temporary", _A, _WAIT, code="4..", phases=frozenset({Phase.AUTH}), pause_s=300.0, source="RFC 4954 section 6"),
    Rule("auth-failed", _A, _WAIT, code="5..", phases=frozenset({Phase.AUTH}), alarm=True, source="RFC 4954 section 6"),
    Rule("unknown-domain", _R, _FAIL, code="556", suppress=True, source="RFC 7504, RFC 7505"),
    Rule("too-large", _M, _DEAD, code="523", source="RFC 5248"),
    Rule("too-many-recipients", _R, _SPLIT, code="452|552", phases=_RCPT, source="RFC 5321 section 4.5.3.1.10"),
    Rule("too-large", _M, _DEAD, code="552", source="RFC 1870, RFC 5321 section 4.2.2"),
    Rule("gateway-full", _G, _WAIT, code="452", source="RFC 5321 section 4.2.2: insufficient system storage"),
    Rule("protocol", _M, _RETRY, code="50[0-4]", alarm=True, source="RFC 5321 section 4.2.2: our bug"),
    Rule("smtputf8-unsupported", _R, _FAIL, code="553", text="smtputf8", source="RFC 6531 section 3.5"),
    Rule("moved", _R, _FAIL, code="551", phases=_RCPT, suppress=True, source="RFC 5321 section 3.4: the hint is ignored"),
    Rule("unknown-recipient", _R, _FAIL, code="550|553|521", text=r"^\s*$", phases=_RCPT, suppress=True, source="RFC 5321 4.2.2"),
    Rule("recipient-refused", _R, _FAIL, code="550|553|521", phases=_RCPT, source="words that no rule knows: not suppressed"),
    Rule(
        "sender-refused", _M, _DEAD, code="550|553", phases=frozenset({Phase.MAIL}), alarm=True, source="RFC 5321 section 4.2.2"
    ),
    Rule("content-refused", _M, _DEAD, code="55[04]", phases=_LATE, text=r"^\s*$", source="reliability 5: after the dot"),
    Rule("desync", _G, _RETRY, code="[23]..|..?|.{4,}", source="an answer out of turn"),
)

#: HTTP statuses (RFC 9110), after the provider's text.
HTTP_RULES: Final = (
    Rule("throttled-rate", _A, _WAIT, code="429", source="RFC 6585"),
    Rule("quota", _A, _WAIT, code="402", alarm=True, source="RFC 9110; providers that bill in advance"),
    Rule("auth-failed", _A, _WAIT, code="401|403|407", alarm=True, source="RFC 9110"),
    Rule("account-setup", _A, _WAIT, code="404|405|410|3..", alarm=True, source="RFC 9110: a wrong URL"),
    Rule("gateway-busy", _G, _WAIT, code="408|425", source="RFC 9110: the request was not read"),
    Rule("duplicate-key", _M, _UNKNOWN, code="409", source="idempotency conflict: read back what became of it"),
    Rule("too-large", _M, _DEAD, code="413", source="RFC 9110"),
    Rule("request-refused", _M, _DEAD, code="4..", source="400, 422: a field is wrong"),
    Rule("unknown", _G, _UNKNOWN, code="5..", phases=_LATE, source="after the body: it may have been taken"),
    Rule("gateway-busy", _G, _WAIT, code="5..", source="before the body"),
)
