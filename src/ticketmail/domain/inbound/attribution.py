"""The lines above a quote: *On Monday, Ann wrote:* in the languages of mail programs, on one line or wrapped over several.

A verb alone is no proof, people write "wrote" too. What counts is evidence: how the line begins, a date, a time, an address, a
colon at the end, and whether quoted lines follow. Work is bounded: only lines that end as such lines end are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from unicodedata import decimal

from ticketmail.domain.inbound.lines import LOOKED_AT
from ticketmail.domain.inbound.quote_words import ATTRIBUTIONS, QUOTING

#: Lines that one attribution may take: name, address and verb may each wrap to a line of their own.
MAX_LINES: Final = 5
#: A line that has only a date, with the words around it, is not longer than this.
MAX_DATED: Final = 60
#: An attribution as a whole is not longer than this.
MAX_CHARS: Final = 320


class Found(NamedTuple):
    """An attribution: its first and last line, where on the first line it begins, and the rule that saw it."""

    first: int
    last: int
    column: int
    rule: str


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True))


_VERBS: Final = tuple({verb.casefold() for row in ATTRIBUTIONS for verb in row.verbs.split("|")})
_ALL_OPENERS: Final = {opener.casefold() for row in ATTRIBUTIONS for opener in row.openers.split("|") if opener}
_OPENERS: Final = tuple(opener for opener in _ALL_OPENERS if opener.isascii())
_FOREIGN: Final = tuple(_ALL_OPENERS - set(_OPENERS))
_ENDS: Final = (":", "：", ">", *_VERBS)
_CJK: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_VERB: Final = re.compile(rf"(?:(?<!\w)|(?<=[{_CJK}\d]))(?:{_any_of(_VERBS)})(?!\w)|(?<=>)wrote\b")
#: A word of the table; a weekday, a day and a month in any language; a date in figures.
_OPENING: Final = re.compile(
    rf"(?:{_any_of(_OPENERS)})\s|(?:{_any_of(_FOREIGN)})(?:\s|(?<=[{_CJK}\u0e00-\u0e7f\u1780-\u17ff-]))"
    r"|[^\W\d]{1,13}[.,]{0,2}\s(?:den\s|d\.\s)?\d{1,2}\.?,?\s(?:(?:de\s|di\s)?[^\W\d]{3,}|\d{4}|\d{1,2}\.)"
    r"|(?:[^\W\d]{1,3}[.,]{0,2}\s)?\d{1,4}\s?[./年년-]\s?\d{1,2}|\d{1,2}\.?\s(?:de\s)?[^\W\d]{3,12}"
)
#: Where an attribution may begin behind other words on the line.
_INSIDE: Final = re.compile(r"(?<=\s)(?:On\s(?:\w{3,9},\s|\d{1,2}[\s/.-]|\w{3,9}\s\d)|(?:Am|Le|El|Em|Il|Op)\s\d{1,2}[\s/.-])")
_DATE: Final = re.compile(
    r"(?<!\d)(?:1[349]|20|25)\d\d(?!\d)|(?<![\d.])\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?![.\d])|\d{1,2}\.\d{1,2}\.(?:19|20)\d\d\.|\d\s?[年년]"
)
_TIME: Final = re.compile(r"(?<!\d)\d{1,2}\s?[:.h時时点시]\s?\d{2}(?!\d)|\d\s?[ap]\.?m\b")
_ADDRESS: Final = re.compile(r"[^\s<>()@]{1,80}@\s?[\w-]{1,63}[\w.-]{0,120}")
_BRACKETED: Final = re.compile(r"[<\[(]\s*(?:mailto:)?[^<>\s@]{1,80}@\s?[^<>\s@]{1,190}\s*[>\])]")
_BRACKETED_END: Final = re.compile(_BRACKETED.pattern + r"\s?[:：]?[> ]{0,3}$")
_BARE_END: Final = re.compile(r"\s[^\s<>@]{1,80}@[^\s<>@]{1,190}\s?[:：]$")
#: Outlook makes text of a link so: ``ann@example.net<mailto:ann@example.net>``.
_REPEATED: Final = re.compile(r"(?<=\w)\s?<mailto:[^<>\s]{1,190}>", re.IGNORECASE)
_NAMED: Final = re.compile(r"[^\s<>(][^<>]{0,80}[<(]\s*[^<>\s@]{1,80}@[^<>\s@]{1,190}[>)]")
_QUOTING: Final = re.compile(rf"(?:{_any_of(QUOTING)})\s[^:：]{{1,160}}[:：]$")
_GMAIL_ISO: Final = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2} \d{1,2}:\d\d (?:gmt|utc)[+-]?\d*")
_POSTED: Final = re.compile(r"posted by .{1,80} on \d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}$")
#: Within a sentence the English words are not capital.
_IN_PROSE: Final = re.compile(r"(?:on|at)\s")
#: *I wrote*, *she wrote*: programs give names.
_PRONOUN: Final = re.compile(
    rf"(?<![\w.])(?:i|we|he|she|they|ich|wir|er|je|nous|il|elle|ils|elles|él|ella|ellos|lui|lei|ik|wij|hij|zij|jag|han|hon|jeg|hun"
    rf"|я|мы|он|она|они)\s(?:{_any_of(_VERBS)})(?!\w)|j['’]ai écrit"
)
#: The date, with at most two short words in front: a preposition, a weekday.
_DATE_FIRST: Final = re.compile(r"(?:[^\W\d]{1,9}[.,]{0,2}\s){0,2}\d")
_DIGIT: Final = re.compile(r"\d")
_NAMED_SO: Final = r"[^\W\d_a-zß-öø-ÿа-яα-ω]\S{0,60}"
#: A name alone: its words begin as names do, or are particles of one; an address may follow.
_NAME: Final = re.compile(
    rf"[\"'*(\[]{{0,3}}{_NAMED_SO}(?:[\s,]{{1,3}}(?:v[ao]n|de[rn]?|d[ai]|del|l[ae]|bin|via|{_NAMED_SO}|[<(\[]\S{{1,80}}[>)\]])){{0,4}}"
    r"[\s,]{0,3}$"
)
_SENTENCE_END: Final = (".", "!", "?", "。", "！", "？")
#: *Dr.*, *godz.*: a stop that ends no sentence.
_SHORTENED: Final = re.compile(r"(?<!\w)(?:[^\W\d]{1,4}|\d{4})\.$")


def may_end(text: str) -> bool:
    """Whether an attribution could end with this line: cheap, for all lines are asked."""
    if not 2 <= len(text) <= LOOKED_AT:
        return False
    bare = text.strip(" \t*_-").casefold()
    return bare.endswith(_ENDS) or bare[:4].isdigit() or bare.startswith("posted by")


def closes(text: str) -> bool:
    """``> wrote:`` and ``>:``: the end of an address that was wrapped, and no quote."""
    return text.rstrip().endswith((":", "：")) and (not _plain(text).rstrip(":： ") or _plain(text).rstrip(":： ") in _VERBS)


def find(texts: Sequence[str], last: int, quoted_next: bool) -> Found | None:
    """The attribution that ends with line ``last``, if one does.

    ``texts`` are all lines; ``quoted_next`` says that quoted lines follow, blank ones aside. A span of lines that begins as
    attributions begin goes before a line that only ends so.
    """
    alone = begun = None
    for first in range(last, max(last - MAX_LINES, -1), -1):
        if not texts[first].strip() and texts[first + 1 : first + 2] == ["<"]:
            continue  # Polymail sets the address apart
        if not texts[first].strip(" \t>*") or (first < last and not _wraps(texts[first])):
            break
        found = _span(texts, first, last, quoted_next)
        if found is None:
            continue
        if _begins(texts[first][found.column :]) or _is_all_said(texts, first, last, quoted_next):
            if begun is None or _is_author_first(texts[first]):
                begun = found._replace(first=first - 1) if not found.column and _dated_above(texts, first) else found
            if found.column or not _has_author_above(texts, first, last):
                return begun
        alone = alone or (found if first == last or texts[first + 1].lstrip().startswith(("<", "(")) else None)
    return begun or alone


def _is_all_said(texts: Sequence[str], first: int, last: int, quoted_next: bool) -> bool:
    """Whether the lines are a paragraph of their own that was wrapped, or begin with a name and its address; with a date, a time
    and two more signs of an attribution: people do not write so. Or a name with its address, and then the verb."""
    apart = first == 0 or not texts[first - 1].strip(" \t>*")
    if first == last or not (apart or (_NAMED.match(texts[first].lstrip()) and _is_author_first(texts[first]))):
        return False
    said = _plain(_REPEATED.sub("", " ".join(texts[first : last + 1])))
    named = _NAMED.match(said)
    if named is not None and _VERB.match(said[named.end() :].lstrip(" ,")):
        return True
    dateless = _DATE.sub(" ", said, count=1)
    signs = (_BRACKETED.search(said) is not None) + quoted_next + (_VERB.search(said) is not None)
    proved = signs >= 2 or _BRACKETED_END.search(said) is not None
    return dateless != said and _TIME.search(dateless) is not None and proved


def _has_author_above(texts: Sequence[str], first: int, last: int) -> bool:
    """Whether the address or the verb stands in the line above, and none here: what begins with the date here goes on there."""
    above = texts[first - 1].casefold() if first and first > last - MAX_LINES + 1 else ""
    here = " ".join(texts[first : last + 1]).casefold()
    return any(sign.search(above) and not sign.search(here) for sign in (_BRACKETED, _VERB))


def _is_author_first(text: str) -> bool:
    """A line that begins as an attribution does, or with a name and nothing else in front of an address."""
    plain = _plain(text)
    if _OPENING.match(plain) or _VERB.match(plain) or _QUOTING.match(plain):
        return True
    bare = text.strip(" \t*_-–—>")
    verb = _VERB.search(plain) if len(plain) == len(bare) else None
    return _NAME.match(re.split(r"[<(]", bare[: verb.start()] if verb else bare, maxsplit=1)[0]) is not None


def _dated_above(texts: Sequence[str], first: int) -> bool:
    """Whether the line above has the date, and nothing else: Claws Mail sets it apart from the name."""
    plain = _plain(texts[first - 1]) if first else ""
    dateless = _DATE.sub(" ", plain, count=1)
    return 0 < len(plain) <= MAX_DATED and dateless != plain and _TIME.search(dateless) is not None and _wraps(texts[first - 1])


def _begins(text: str) -> bool:
    """The first line of an attribution: a known beginning, or the name, the address and the verb at once."""
    plain = _plain(_REPEATED.sub("", text))
    return (_OPENING.match(plain) or _QUOTING.match(plain)) is not None or (
        _NAMED.match(plain) is not None and _VERB.search(plain) is not None
    )


def _plain(text: str) -> str:
    return text.strip(" \t*_-–—>").casefold()


def _wraps(text: str) -> bool:
    """A line that an attribution may go on after: not the end of a sentence, and not a paragraph."""
    bare = text.rstrip()
    return len(text) <= LOOKED_AT and (not bare.endswith(_SENTENCE_END) or _SHORTENED.search(bare[-6:]) is not None)


def _span(texts: Sequence[str], first: int, last: int, quoted_next: bool) -> Found | None:
    """The lines ``first`` to ``last`` as an attribution; other words may stand before it on its first line."""
    head, *rest = texts[first : last + 1]
    tail = "".join(" " + one.strip().lstrip("> ") for one in rest)
    inside = [match.start() for match in _INSIDE.finditer(head)][:3]
    for column in (0, *inside) if _OPENING.match(_plain(head)) else (*inside, 0):
        rule = judge(head[column:] + tail, quoted_next)
        if rule:
            return Found(first, last, column, rule)
    return None


def judge(text: str, quoted_next: bool) -> str:
    """The rule by which these words, on one line, are an attribution; '' if they are none."""
    text = _REPEATED.sub("", text)
    bare = text.strip(" \t*_>").casefold()
    if not 5 <= len(bare) <= MAX_CHARS:
        return ""
    if not bare.isascii():
        bare = "".join(str(decimal(sign, sign)) for sign in bare)  # dates in Arabic, Persian, Indian figures
    if _GMAIL_ISO.match(bare):
        return "gmail-date"
    if _POSTED.match(bare):
        return "posted-by"
    if _QUOTING.match(bare) and (quoted_next or _BRACKETED.search(bare)):
        return "quoting"
    if not quoted_next and (_IN_PROSE.match(text.strip(" \t*_>-")) or _PRONOUN.search(bare)):
        return ""
    if text.rstrip().endswith(">"):
        bare += ">"
    verbs = _VERB.findall(bare)
    if not verbs:
        return _without_verb(bare, quoted_next)
    return _by_verb(text, bare, verbs[-1], quoted_next) or ("name-wrote" if quoted_next and _is_name_and_verb(text) else "")


def _is_name_and_verb(text: str) -> bool:
    """*Ann Example wrote:* and nothing else, in either order. Only a quote below makes it an attribution."""
    bare = text.strip(" \t*_>-")
    verb = _VERB.search(bare.casefold())
    if verb is None or not bare.endswith((":", "：")) or len(bare) != len(bare.casefold()):
        return False
    before, after = bare[: verb.start()].strip(), bare[verb.end() :].strip(" :：")
    return not (before and after) and _NAME.match(before or after) is not None


def _by_verb(line: str, bare: str, verb: str, quoted_next: bool) -> str:
    """An address counts twice; a verb within dashes is what Android and Zoho write. Where neither an address nor a known
    beginning is there, only a name or the date may come first: people report in sentences what others wrote, and when."""
    at_end = bare.rstrip(" -–—:.*_：>").endswith(verb)
    if at_end and bare.startswith("--") and bare.endswith("--"):
        return "dashes"
    text = bare.strip("-–— ")
    opened, addressed = _OPENING.match(text) is not None, _ADDRESS.search(text) is not None
    dateless = _DATE.sub(" ", text, count=1)
    dated, timed = dateless != text, _TIME.search(dateless) is not None
    evidence = opened + dated + timed + 2 * addressed
    if text.endswith((":", "：")):
        proved = evidence >= 1 if quoted_next else evidence >= 2 and (opened or addressed or (dated and timed and _is_bald(line)))
    else:
        proved = at_end and evidence >= (2 if quoted_next else 3)
    return "wrote" if proved else ""


def _is_bald(line: str) -> bool:
    """Begins with the date, the verb, or a name in front of either; a short word may stand between."""
    bare = line.strip(" \t*_>-")
    verb = _VERB.search(bare.casefold())
    if _DATE_FIRST.match(bare) or verb is None or len(bare) != len(bare.casefold()):
        return True
    before = _DIGIT.split(bare[: verb.start()], maxsplit=1)[0].strip(" ,(@-")
    return not before or any(_NAME.match(one) for one in (before, before.rpartition(" ")[0]))


def _without_verb(bare: str, quoted_next: bool) -> str:
    """A date and an address, as Gmail, Yandex and Tuta write them, in languages that no table has, too.

    An address within brackets stands at the end; with a time it may stand anywhere before the colon, and without brackets, if the
    line begins as such lines do. Before a quote, any line that ends in a colon with date and time will do.
    """
    dateless = _DATE.sub(" ", bare, count=1)
    if dateless == bare:
        return ""
    colon, timed = bare.rstrip(">").endswith((":", "：")), _TIME.search(dateless) is not None
    if _BRACKETED_END.search(bare) is not None and (colon or (quoted_next and _OPENING.match(bare) is not None)):
        return "date-address"
    addressed = _BRACKETED.search(bare) is not None or _BARE_END.search(bare) is not None
    known = bool(_OPENING.match(bare) or (bare[0] != "[" and _NAMED.match(bare))) and ":" not in _TIME.sub("", bare[:-1])
    if colon and timed and addressed and known:
        return "date-address"
    return "before-quote" if quoted_next and colon and timed else ""
