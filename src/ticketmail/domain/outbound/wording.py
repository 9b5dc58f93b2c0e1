"""What servers write, and what it means. A text wins over all codes, for codes lie: a 550 may be a quota, a 554 a rate.

Sources: providers' pages, and lines that users of other mail programs reported. No list was copied from any of them. Where two
sources differ, the mail is kept. What one mail alone may cause must not stop its account: such rules retry, or say DEAD.
"""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.outcome import Phase
from ticketmail.domain.outbound.rule import Rule

_R, _M, _A, _G = FaultScope.RECIPIENT, FaultScope.MESSAGE, FaultScope.ACCOUNT, FaultScope.GATEWAY
_RETRY, _WAIT, _FAIL, _DEAD, _SPLIT = Advice.RETRY, Advice.WAIT, Advice.FAIL, Advice.DEAD, Advice.SPLIT
_RCPT: Final = frozenset({Phase.RCPT})
_LATE: Final = frozenset({Phase.DATA, Phase.BODY, Phase.DOT})

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
        "connection-spent",
        _M,
        _RETRY,
        text=r"(?:messages?|e?-?mails?|transactions?)\b[\w ,]{0,20}\b(?:per|in|on|for|over) "
        r"(?:\w+ ){0,2}(?:connection|session|channel)\b",
        code="4..",
        source="Exim 421 too many messages in one connection; Yahoo 421 max message per connection",
    ),
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
        text=r"(?:user|recipient|account|mailbox)[\w ',.]{0,60} receiv\w+ (?:mail|messages) (?:too quickly|at a rate)",
        code="4..",
        source="Google 450 4.2.1",
    ),
    Rule(
        "throttled-rate",
        _A,
        _WAIT,
        text=r"unusual rate|\bTSS?0\d\b|\bRP-00\d\b",
        code="4..",
        pause_s=1800.0,
        source="Google 4.7.28, Yahoo TSS04, Outlook RP-001",
    ),
    Rule(
        "throttled-rate",
        _A,
        _WAIT,
        text=r"submission rate|(?:transmit|sending|message|mail|send) rate[\w ]{0,30}exceed|rate limit|throttl|too much mail|"
        r"(?:too many|exceed\w* (?:the )?(?:maximum )?(?:number of )?) ?(?:messages|mails|emails|requests)(?! per connection)|"
        r"slow down|sending too (?:fast|quickly|many)|peak smtp",
        code="4..|5..",
        source="Office 365 421 4.4.2, Postfix 450 4.7.1 and 4.7.0, SES 454, HTTP 429, Google relay 450 4.2.1",
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
    # links that are listed are content, not our reputation
    Rule(
        "content-refused",
        _M,
        _DEAD,
        text=r"\b(?:url|uri|link|domain in)s?\b[\w .:/-]{0,60}(?:listed|blacklist|blocklist|blocked)|\b(?:uri|sur|d)bl\b",
        code="5..",
        phases=_LATE,
        source="SURBL, URIBL, Spamhaus DBL wording after the dot",
    ),
    # our reputation: never the recipient's fault
    Rule(
        "reputation",
        _A,
        _RETRY,
        text=r"spamhaus|spamcop|barracuda|\b(?:dns|r)?bl\b|(?:black|block)[ -]?list|blocked using|listed (?:at|by|in|on)\b|"
        r"(?:poor|bad|low) reputation|reputation of (?:your|the)|\bPTR\b|reverse (?:dns|hostname)|"
        r"cannot find your (?:reverse )?hostname|"
        r"(?:client|your) (?:host|ip|ip address|address)[\w .:\[\]-]{0,60} (?:rejected|blocked|banned)|banned sending IP",
        code="5..",
        alarm=True,
        source="outbound reference 4.2 REPUTATION; 83 rules of ZoneMTA make such 5xx temporary",
    ),
    Rule(
        "sender-authentication",
        _A,
        _RETRY,
        text=r"(?:email|mail) is unauthenticated|unauthenticated (?:email|mail)|\bDMARC\b|"
        r"\b(?:SPF|DKIM)\b[\w ]{0,30}(?:fail|check|not pass|did not)",
        code="5..",
        alarm=True,
        source="Google 550 5.7.26",
    ),
    # the sender
    Rule(
        "sender-refused",
        _M,
        _DEAD,
        text=r"SendAs ?Denied|not (?:allowed|authori[sz]ed|permitted) to send (?:as|from|mail from|on behalf)|"
        r"client does not have permissions to send|"
        r"sender (?:address |domain )?(?:rejected|refused|not owned|verify failed|denied)|"
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
        text=r"\bspam\b|spam(?:my|assassin| message| content)|virus|malware|phish|unsolicited|suspicious|dangerous|"
        r"content (?:rejected|filter|block)|blocked (?:by|due to) (?:content|policy|security)|"
        r"(?:prohibited|illegal) (?:attachment|file)",
        code="5..",
        phases=_LATE,
        source="outbound reference 4.2, reliability 5: 554 or 550 after the dot",
    ),
    # the recipient
    Rule(
        "mailbox-full",
        _R,
        _RETRY,
        text=r"(?:mailbox|quota|inbox|storage)[\w ']{0,40}(?:full|exceeded|exhausted)|over ?quota|out of storage|"
        r"insufficient (?:mailbox )?storage",
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
        text=r"(?:user|recipient|mailbox|address|account|alias)\w*[\w <>@.:'\"-]{0,80}"
        r"(?:unknown|does ?n[o']t exist|not found|not exist|invalid|no longer)|"
        r"(?:unknown|no such|invalid|nonexistent) (?:local )?(?:user|recipient|mailbox|address|account)|"
        r"unrouteable address|no mailbox here",
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
