"""The rules of classification as data: what servers say, and what it means. Sources: RFC 5321, 3463, 5248, 7504, 7505, 4954, 6531,
providers' pages, and lines that users of other mail programs reported. No list was copied from any of them.

Where two sources differ, the mail is kept. Rules of a tier are tried in order; a tier's rule wins over all later tiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.outcome import Phase

_R, _M, _A, _G = FaultScope.RECIPIENT, FaultScope.MESSAGE, FaultScope.ACCOUNT, FaultScope.GATEWAY
_RETRY, _WAIT, _FAIL, _DEAD, _SPLIT, _UNKNOWN = (
    Advice.RETRY,
    Advice.WAIT,
    Advice.FAIL,
    Advice.DEAD,
    Advice.SPLIT,
    Advice.UNKNOWN,
)
_RCPT: Final = frozenset({Phase.RCPT})
_EARLY: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.TLS})
_LATE: Final = frozenset({Phase.DATA, Phase.BODY, Phase.DOT})


@dataclass(frozen=True)
class Rule:
    """All that is given must fit. Patterns are regular expressions: ``code`` and ``enhanced`` fit the whole (``4..``,
    ``5\\.7\\.2[0-4]``), ``text`` is searched without regard to case. ``profile`` '' fits every account. ``phases`` empty: any.

    ``pause_s`` is when to come back if the server does not say so itself. ``source`` says where the rule comes from.
    """

    cause: str
    scope: FaultScope
    advice: Advice
    code: str = ""
    enhanced: str = ""
    text: str = ""
    phases: frozenset[Phase] = frozenset()
    profile: str = ""
    suppress: bool = False
    alarm: bool = False
    pause_s: float | None = None
    source: str = ""

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        """Compiled: code, enhanced, text."""
        return re.compile(self.code or "..*"), re.compile(self.enhanced or ".*"), re.compile(self.text, re.IGNORECASE)

    def fits(self, *, code: str, enhanced: str, text: str, phase: Phase, profile: str) -> bool:
        """Whether the rule speaks of this reply."""
        codes, enhanceds, texts = self.patterns
        return (
            (not self.profile or self.profile == profile)
            and (not self.phases or phase in self.phases)
            and codes.fullmatch(code) is not None
            and enhanceds.fullmatch(enhanced) is not None
            and texts.search(text) is not None
        )


#: What providers write. These win, for codes lie: a 550 may be a quota, a 554 a rate.
TEXT_RULES: Final = (
    # quotas that look permanent and are not
    Rule(
        "sender-mailbox-full",
        _A,
        _WAIT,
        text=r"STOREDRV\.Submission\S*[:;. ]\s*(?<!Submission)QuotaExceeded|MapiExceptionShutoffQuotaExceeded",
        alarm=True,
        source="learn.microsoft.com smtp-submission-improvements: a full Sent folder blocks sending (554 5.2.2)",
    ),
    Rule(
        "quota",
        _A,
        _WAIT,
        text=r"SubmissionQuotaExceeded|exceed\w* (?:the |your |its |his )?(?:daily|monthly|hourly) \w+|"
        r"(?:daily|monthly) [\w -]{0,40}(?:limit|quota)[\w -]{0,30}(?:exceed|reached|used)|maximum credits exceeded|"
        r"daily (?:limit|quota) (?:for|of)|daily user sending|daily SMTP relay|sender frequency limited|"
        r"reached (?:your|the) (?:daily|monthly|hourly)|credits? (?:exhausted|exceeded)|"
        r"sending (?:limit|quota) (?:was |is |has been )?(?:exceeded|reached)",
        alarm=True,
        source="Office 365 554 5.2.0 and 550 5.1.90; Google 550 5.4.5 and 5.7.1; SES 454; SendGrid 401, 451; QQ 550; GoDaddy 554",
    ),
    # rates
    Rule(
        "throttled-connections",
        _A,
        _WAIT,
        text=r"(?:concurrent|simultaneous|too many) (?:\w+ ){0,3}(?:connections?|sessions?)|sender thread limit|"
        r"connections? (?:\w+ ){0,2}(?:limit|rate) exceeded|too many connections",
        pause_s=15.0,
        source="Office 365 432 4.3.2; common 421 of Postfix, Exim, Dovecot",
    ),
    Rule(
        "auth-throttled",
        _A,
        _WAIT,
        text=r"too many (?:\w+ )?(?:login|log-in|auth\w*|sign-?in) (?:attempts|failures|requests)|too many failed log",
        pause_s=60.0,
        source="Google 454 4.7.0 (grails-mail#51)",
    ),
    Rule(
        "recipient-busy",
        _R,
        _RETRY,
        text=r"(?:user|recipient|account you tried to contact|mailbox)[\w ',.]{0,60} receiv\w+ (?:mail|messages) (?:too quickly|at a rate)",
        code="4..",
        source="Google 450 4.2.1",
    ),
    Rule(
        "throttled-rate",
        _A,
        _WAIT,
        text=r"unusual rate|\bTSS?0\d\b|\bRP-00\d\b|peak smtp",
        code="4..",
        pause_s=1800.0,
        source="Google 4.7.28, Yahoo TSS04, Outlook RP-001, Google relay 450 4.2.1",
    ),
    Rule(
        "throttled-rate",
        _A,
        _WAIT,
        text=r"submission rate|(?:transmit|sending|message|mail|send) rate[\w ]{0,30}exceed|rate limit|throttl|too much mail|"
        r"(?:too many|exceed\w* (?:the )?(?:maximum )?(?:number of )?) ?(?:messages|mails|emails|requests)(?! per connection)|"
        r"slow down|sending too (?:fast|quickly|many)",
        code="4..|5..",
        source="Office 365 421 4.4.2, Postfix 450 4.7.1 and 4.7.0, SES 454, HTTP 429",
    ),
    # first contact
    Rule(
        "greylisted",
        _R,
        _RETRY,
        text=r"gr[ea]y-?list|greeting pause|first[- ]contact|postgrey|deferred? (?:by )?policy, (?:try|retry)",
        code="4..",
        source="postgrey, milter-greylist, rspamd",
    ),
    # our reputation: never the recipient's fault
    Rule(
        "reputation",
        _A,
        _WAIT,
        text=r"spamhaus|spamcop|barracuda(?:central)?|\b(?:dns|r)?bl\b|(?:black|block)[ -]?list|blocked using|listed (?:at|by|in|on)\b|"
        r"(?:poor|bad|low) reputation|reputation of (?:your|the)|\bPTR\b|reverse (?:dns|hostname)|cannot find your (?:reverse )?hostname|"
        r"(?:client|your) (?:host|ip|ip address|address)[\w .:\[\]-]{0,60} (?:rejected|blocked|banned)|banned sending IP",
        code="5..",
        alarm=True,
        pause_s=900.0,
        source="outbound reference 4.2 REPUTATION; 83 rules of ZoneMTA make such 5xx temporary",
    ),
    Rule(
        "sender-authentication",
        _A,
        _WAIT,
        text=r"unauthenticated (?:email|mail)|\bDMARC\b|\bSPF\b[\w ]{0,30}(?:fail|check|not pass|did not)|\bDKIM\b[\w ]{0,30}(?:fail|not pass|did not)",
        code="5..",
        alarm=True,
        pause_s=900.0,
        source="Google 550 5.7.26",
    ),
    # the sender
    Rule(
        "sender-refused",
        _M,
        _DEAD,
        text=r"SendAs ?Denied|not (?:allowed|authori[sz]ed|permitted) to send (?:as|from|mail from|on behalf)|"
        r"client does not have permissions to send|sender (?:address |domain )?(?:rejected|refused|not owned|verify failed|denied)|"
        r"from address is not|email address is not verified|not verified|sender identity",
        code="5..",
        alarm=True,
        source="Exchange 550 5.7.60, Postfix 553 5.7.1, SES 554",
    ),
    Rule(
        "relay-denied",
        _M,
        _DEAD,
        text=r"relay(?:ing)? (?:access )?(?:denied|not (?:permitted|allowed)|prohibited)|unable to relay|not permitted to relay|"
        r"do(?:es)? not relay",
        code="5..",
        alarm=True,
        source="Postfix 554 5.7.1, Exchange 550 5.7.54",
    ),
    Rule(
        "loop",
        _M,
        _DEAD,
        text=r"hop count|mail loop|too many hops|loops? back to",
        code="5..",
        alarm=True,
        source="RFC 5321 section 6.3",
    ),
    # what the mail holds; not shopped around
    Rule(
        "too-large",
        _M,
        _DEAD,
        text=r"(?:message|mail|size|content|attachment)[\w ():.-]{0,60}(?:exceed|too (?:large|big)|larger than)|"
        r"exceeds? (?:the )?(?:fixed |maximum |max )?(?:message |mail )?size|maximum (?:message )?size",
        code="5..",
        source="RFC 1870; Postfix 552 5.3.4, Exchange 552 5.2.3 and 5.2.270",
    ),
    Rule(
        "content-refused",
        _M,
        _DEAD,
        text=r"\bspam\b|spam(?:my|assassin| message| content)|virus|malware|phish|looks like|unsolicited|content (?:rejected|filter|block)|"
        r"blocked (?:by|due to) (?:content|policy|security)|suspicious|dangerous|prohibited (?:attachment|file)|illegal attachment",
        code="5..",
        phases=_LATE,
        source="outbound reference 4.2, reliability 5: 554 or 550 after the dot",
    ),
    # the recipient
    Rule(
        "mailbox-full",
        _R,
        _RETRY,
        text=r"(?:mailbox|quota|inbox|storage)[\w ']{0,40}(?:full|exceeded|exhausted)|over ?quota|out of storage|insufficient (?:mailbox )?storage",
        code="4..|5..",
        phases=_RCPT | _LATE,
        source="452 4.2.2, 552 5.2.2",
    ),
    Rule(
        "domain-not-found",
        _R,
        _RETRY,
        text=r"(?:domain|host)(?: name)? (?:of [\w ]{0,20})?(?:not found|does not resolve|unknown)",
        code="4..",
        phases=_RCPT,
        source="Postfix 450 4.1.2",
    ),
    Rule(
        "unknown-recipient",
        _R,
        _FAIL,
        text=r"(?:user|recipient|mailbox|address|account|alias)\w*[\w <>@.:'\"-]{0,80}(?:unknown|does ?n[o']t exist|not found|not exist|invalid|no longer)|"
        r"(?:unknown|no such|invalid|nonexistent) (?:local )?(?:user|recipient|mailbox|address|account)|unrouteable address|no mailbox here",
        code="5..",
        enhanced=r"(?:5\.(?:0|1|2)\.\d+)?",
        phases=_RCPT,
        suppress=True,
        source="Postfix, Exim, Exchange and Google wording of 550",
    ),
    Rule(
        "too-many-recipients",
        _R,
        _SPLIT,
        text=r"too many recipients|recipients? (?:limit|per (?:message|transaction))|domain policy size per transaction",
        code="4..|5..",
        phases=_RCPT | _LATE,
        source="RFC 5321 section 4.5.3.1.10; Google 452 4.5.3",
    ),
    Rule(
        "account-blocked",
        _A,
        _WAIT,
        text=r"account (?:is |has been |was )?(?:temporarily )?(?:blocked|suspended|disabled|restricted|locked)|"
        r"(?:sender|sending) (?:account )?(?:is |has been )?(?:suspended|paused|restricted)",
        code="4..|5..",
        phases=frozenset({Phase.EHLO, Phase.AUTH, Phase.MAIL}),
        alarm=True,
        source="Outlook, Gmail and shared hosts at login",
    ),
)

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
    Rule("reputation", _A, _WAIT, enhanced=r"5\.7\.25", alarm=True, pause_s=900.0, source="RFC 7372: reverse DNS"),
    Rule(
        "sender-authentication",
        _A,
        _WAIT,
        enhanced=r"5\.7\.(?:2[0-4]|26|29)",
        alarm=True,
        pause_s=900.0,
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
