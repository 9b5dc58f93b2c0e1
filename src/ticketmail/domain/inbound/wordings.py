"""What mail systems say when they could not deliver: phrases as data, with the programs that say them.

Each is of a program or a service, in the languages that it is shipped in. A phrase alone proves nothing: see ``bounce.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MAX_SUBJECT: Final = 500  #: so many characters of a subject are looked at
_TAGS: Final = re.compile(r"(?:\s{0,4}(?:\[[^\]\n]{1,40}\]|\*{2,5}[^*\n]{1,30}\*{2,5}))+\s{0,4}(?=\S)")


@dataclass(frozen=True)
class Phrases:
    """Phrases (regular expressions, searched without regard to case) with one meaning. ``source`` names who says them."""

    name: str
    source: str
    patterns: tuple[str, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """All of them as one."""
        return re.compile("|".join(self.patterns), re.IGNORECASE | re.MULTILINE)


def untagged(subject: str) -> str:
    """A subject as far as rules look at it, without what gateways put in front: ``[EXTERNAL]``, ``***SPAM***``."""
    subject = subject[:MAX_SUBJECT]
    tags = _TAGS.match(subject)
    return subject[tags.end() :] if tags else subject


def first_found(text: str, sets: Iterable[Phrases]) -> tuple[Phrases, str] | None:
    """The first set with a phrase in the text, and the words. The text must be bounded: see :data:`MAX_SUBJECT`."""
    for one in sets:
        match = one.pattern.search(text)
        if match:
            return one, match[0].strip()[:120]
    return None


#: Subjects of failure notices.
FAILURE_SUBJECTS = (
    Phrases(
        "failure-subject",
        "sendmail, Postfix, Exim, qmail, Exchange, Domino, GroupWise, MDaemon, Google, Yahoo",
        (
            r"^(?:re: ?)?(?:returned|undeliver(?:ed|able)|rejected|bounced|failed|blocked) (?:e-?)?mail",
            r"undeliver(?:ed|able)|not deliver(?:ed|able)|undelivered|unzustellbar|nicht zustellbar|unable to deliver",
            r"(?:mail|message|delivery|e-?mail|send)\W{0,3}(?:system |processing |delivery |transport )?(?:failure|failed"
            r"|error|problem)",
            r"delivery (?:status )?(?:notification|report|failure|failed|error|problem|has failed|final)",
            r"failure (?:notice|delivery|notification)|processing error|nondeliverable|non[- ]?delivery|non remis|not sent",
            r"(?:error|problem|trouble) (?:sending|delivering|with) your (?:e-?)?mail|could(?: not|n't) be (?:delivered|sent)",
            r"user unknown|unknown user|recipient (?:unknown|rejected|not found)|mailbox (?:is )?full|over quota|address change",
            r"message (?:you sent )?(?:was )?(?:blocked|rejected)|rejected (?:mail|message)|mail rejected|automatically rejected",
            r"échec|non (?:remis|distribu)|no entregad|devuelto|devolvid|mensagem n[ãa]o|zustellung|onbestelbaar"
            r"|mancata consegna",
            r"fehlgeschlagen|niedostarcz|zwrot|недоставлен|не доставлен|kunde inte levereras|doručen",
            r"配信|配達|送信でき|メッセージを|传输失败|退信|系统退信|投递",
            r"無法|未送达|반송|전송 ?실패|недостав|teslim edilem|neizdevās|toimitus",
            # fml, Mailman: a list refuses a mail.
            r"^(?:loop alert|loop back warning|security alert|reject mail)\b|not member article|you .{1,80} are not member",
            # Exchange puts these in front of the subject.
            r"no se puede entregar|non recapitabile|niet[- ]bestelbaar|n[ãa]o (?:foi poss[íi]vel )?entreg|går inte att leverera"
            r"|kan (?:inte|ikke) lever|ikke lever|kunne ikke lever|ei voi(?:tu)? toimit|toimittamat|nie można dostarczyć",
            r"nedoruč|kézbesíthetetlen|sikertelen|nelivrabil|nu (?:se )?poate|(?:не удается|не удалось|не вдалося|неможливо) дост"
            r"|недоставимо|не може да бъде дост|neisporuč|nedostavlj|ni mogoče dostaviti|nepiegād|nepristat|ei saa edastada",
            r"δεν είναι δυνατή η παράδοση|αδύνατη η παράδοση|لم يتم (?:ال)?تسليم|تعذر (?:ال)?تسليم|לא ניתן למס|غیر قابل تحویل",
            r"nije (?:moguće )?isporuč|ezin da entregatu|डिलीवर नहीं",
            r"không (?:thể )?gửi được|không thể (?:gửi|chuyển)|tidak (?:dapat )?(?:ter)?kirim|ไม่สามารถส่ง"
            r"|未能(?:传递|送达)|无法(?:传递|送达)|배달되지 않|배달할 수 없",
        ),
    ),
)

#: Subjects of delay notices.
DELAY_SUBJECTS = (
    Phrases(
        "delay-subject",
        "sendmail, Postfix, Exim, Google",
        (
            r"delay(?:ed)?\b|\(delay\)|could not send message for past|not (?:yet )?(?:been )?delivered (?:yet|after)|verzögert",
            r"^warning: (?:message|could not send|your e?mail)|temporar(?:y|ily)|retard[ée]|попытк|still (?:trying|being)",
            r"entrega (?:retrasada|atrasada)|ritardat|bezorging vertraagd|vertraagd:|fördröjd|försena|forsink|viivästy|opóźnion"
            r"|différée?\b|zpoždění|zpožděn|opožděn|oneskoren|késlel|întârzi|задерж|затримк|забавен|καθυστ|gecik"
            r"|配信(?:が|の)?遅|传递延迟|延迟|배달 지연",
        ),
    ),
)

#: It was delivered, or handed to a server that tells no more.
SUCCESS_SUBJECTS = (
    Phrases(
        "success-subject",
        "Postfix, Exchange in its languages",
        (
            r"^successful mail delivery report|^(?:delivered|relayed|zugestellt|weitergeleitet|remis|relayé|entregado"
            r"|retransmitido|recapitato|inoltrato|bezorgd|doorgestuurd|entregue|dostarczono|levererat|leveret|доставлено|配信済み|送达)\s?[:：]",
        ),
    ),
)

#: What was held back from a user, told to that user: addresses in it are senders.
DIGEST_SUBJECTS = (
    Phrases(
        "digest-subject",
        "Proofpoint, Barracuda, Exchange Online, IronPort, Sophos, MailMarshal",
        (r"quarant|quarent|cuarent|karant|карантин|隔離|隔离|(?:spam|end[- ]user|message) (?:digest|summary|report)",),
    ),
)

#: Failure in the text of a notice.
FAILURE_TEXTS = (
    Phrases(
        "failure-text",
        "sendmail, Postfix, Exim, qmail, Exchange, Domino, GroupWise, Google, Yahoo, Mail.Ru, and many more",
        (
            r"(?:could|can|was|were|has|have|is|are)\s?(?:not|n[o']t)(?: be| been)? (?:able to )?(?:be )?(?:deliver|sent"
            r"|reach|process)",
            r"(?:unable|failed|trouble|error|problems?)(?: occurred)? (?:to |while |in |attempting to "
            r"|trying to )*(?:deliver|reach|send)",
            r"undeliver(?:ed|able)|not deliver(?:ed|able)|non[- ]?deliver|deliver\w* (?:\w+ ){0,8}(?:has )?(?:failed"
            r"|failure|error|problem)",
            r"did not reach|did not receive|returned (?:to you|to the sender|because)|has been returned|wasn't able to deliver",
            r"addresses had (?:permanent |transient |delivery |fatal |\w+ )*(?:errors|problems)|failed (?:addresses|recipients?)",
            r"(?:was|were|been|is|be) (?:automatically )?(?:rejected|blocked|refused|returned|bounced|discarded)"
            r"|permanent(?:ly)? (?:fatal )?(?:err|fail)",
            r"(?:user|recipient|mailbox|address|account|addressee)[^\n.]{0,40}(?:unknown|not found|does ?n[o']t exist"
            r"|invalid|unavailable|disabled|full)",
            r"(?:no such|unknown|invalid|bad|inactive) (?:\w+ ){0,3}(?:user|recipient|mailbox|address|addressee|account"
            r"|host|domain)|no mailbox here",
            r"(?:over|exceed\w*) (?:\w+ ){0,4}quota|quota (?:\w+ ){0,3}exceed|mailbox (?:is )?full|disk quota"
            r"|no (?:valid )?recipients",
            r"giving up|given up|unroute?able|(?:un)?known user|does not exist|not known|not listed in|message (?:size"
            r"|bounced|loop)",
            r"retry timeout exceeded|too many hops|mail loop|will not be delivered|delivery problems"
            r"|not accept(?:ed)? (?:your|our|the)",
            r"^[ \t]*5\d\d[ -]\S|\b5\.\d\.\d{1,2}\b|smtp error|rcpt to",
            r"nicht zugestellt|zustellung fehl|konnte nicht|unzustellbar|n'a (?:pas )?(?:pu|été)|impossible (?:de|d')"
            r"|non (?:remis|distribu)",
            r"no (?:se )?(?:ha )?(?:pudo|podido)|no (?:ha )?(?:sido )?entreg|n[ãa]o (?:p[ôo]de|foi|pode)|non (?:è stato"
            r"|e' stato|può)",
            r"kon niet|niet (?:worden )?(?:bezorgd|afgeleverd)|kunde inte|kunne ikke|не (?:может|было|удалось|доставлен)"
            r"|nie (?:można|może|został)",
            r"できません|できなかった|失敗|届きま|存在し|無法|无法|失败|拒[绝絕]|退回|전송|실패|không",
            r"considered (?:unsolicited|spam)|delivery of the (?:e-?mail|message) was stopped",
            r"duplicated message-id|detected a loop|not (?:a )?member of this|not allowed to post",
            r"ne(?:zda|poda)řil|nebylo možné|ne(?:poda|vyda)ril|nebolo možné|сбой доставки|не найден|не удается|не вдалося"
            r"|не знайдено|не можа|не може|ei voi|epäonnistu|sikertelen|nem (?:sikerült|lehet)|kézbesít|nu a putut|eșuat",
            r"mislukt|misslyckad|mislykke|nepodarilo|nije (?:mogl|uspje|moguć|bilo moguć|isporuč)"
            r"|ni (?:bilo )?mogoče|neizdevās|nepavyko"
            r"|ebaõnnestus|ei õnnestunud|δεν ήταν δυνατ|απέτυχε|αποτυχία|başarısız|edilem|ulaştırılam|no s'ha pogut|errat",
            r"ezin (?:izan|da)\b|डिलीवर नहीं|वितरित नहीं",
            r"gagal|tidak dapat|ไม่สามารถ|فشل|تعذر|لم يتم|נכשל|לא ניתן|ناموفق|未能|找不到|不存在|見つかり|않습니다|없습니다",
        ),
    ),
)

#: The mail will be tried again.
DELAY_TEXTS = (
    Phrases(
        "delay-text",
        "sendmail, Postfix, Exim, Google, qmail, Exchange",
        (
            r"warning message only|do not need to resend|no action is required on your part|will (?:be"
            r"|continue) (?:to (?:be )?)?retr(?:y|ied)",
            r"has (?:not yet been|been) delayed|(?:has|have) not yet been delivered|will (?:keep"
            r"|continue) (?:on )?try(?:ing)?|still (?:being )?(?:trying|retried)",
            r"(?:delivery|message)s? (?:attempts )?will (?:be attempted|continue)|could not be delivered (?:for"
            r"|within) \d+(?:\.\d)? hours?\.\s+It will be retried",
            r"it will be retried|delivery (?:is|has been) delayed|addresses had transient non-fatal errors|is delayed\b",
        ),
    ),
)

#: It failed for a time only, and that time was up: nobody tries any more.
EXPIRED_TEXTS = (
    Phrases(
        "expired-text",
        "qmail, Exim, sendmail, Exchange, Yahoo",
        (
            r"could not deliver for the last \d+|could not be delivered for more than",
            r"not reachable within the allowed queue period",
            r"(?:delivery|message) (?:has )?(?:expired|timed out)|and has stopped trying",
            r"in the queue too long|retry time(?:out exceeded| not reached)|been failing for a long time"
            r"|after multiple retries, giving up",
            r"could not be delivered for too long",
            r"message (?:has )?expired|delivery time expired|not delivered within \d+ (?:day|hour)"
            r"|cannot send message (?:for|within) \d+ (?:day|hour)",
            r"could not be delivered (?:for|after|within) \d+ (?:day|hour)|unable to deliver (?:the |this )?message (?:for"
            r"|after) \d+ (?:day|hour)",
        ),
    ),
)

#: No host answered, which may pass (RFC 3463 X.4.1). A server that returns a mail for that has waited as long as it would.
UNREACHED_TEXTS = (
    Phrases(
        "unreached-text",
        "Postfix",
        (
            r"connect\s+to\s+\S{1,255}:\s+(?:(?:connection|operation)\s+(?:timed\s+out|refused|reset)|no\s+route\s+to\s+host"
            r"|network\s+is\s+unreachable)|delivery\s+temporarily\s+suspended:\s+(?:connect\s+to|lost\s+connection)",
        ),
    ),
)

#: The name of the host could not be looked up, or the mail went in circles: that is the cause, however long was waited.
UNRESOLVED_TEXTS = (
    Phrases(
        "unresolved-text",
        "sendmail, Postfix, Exim",
        (r"host name lookup failure|name service error for|malformed name server reply|too many hops|mail (?:forwarding )?loop",),
    ),
)
