"""What stands below a mail without being said in it: signatures, what a phone adds, legal text, footers of lists.

Only what is plain is folded: the delimiter of RFC 3676, known lines, known beginnings. *Best regards, Ann* stays: it is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ticketmail.domain.inbound.lines import LOOKED_AT
from ticketmail.domain.inbound.signature_words import BANNERS, DISCLAIMERS, LEGAL_WORDS, LIST_FOOTERS, PRODUCTS, TAGLINES

#: Lines with words below a bare ``--``; more is a text in two parts. RFC 3676 4.3 speaks of four.
MAX_SIGNATURE_LINES: Final = 12
#: Lines of a list's footer.
MAX_FOOTER_LINES: Final = 8
_TAIL_LINES: Final = 3

_WORDS: Final = r"[^,;!?\n]{0,60}"
#: K-9 and people go on: *Please excuse my brevity.*
_EXCUSE: Final = (
    r"[.,;!]?\s(?:please |bitte |por favor,? )?(?:excuse|pardon|forgive|sorry|entschuldig|verzeih|veuillez excuser|disculp"
    r"|desculp|perdon|scus|извин|прост|wybacz|przepra)[^\n]{0,80}"
)


def _taglines() -> re.Pattern[str]:
    """One pattern for all: each template is a whole line, in brackets or not."""
    bodies = [_WORDS.join(re.escape(piece) for piece in one.casefold().split("{}")) for one in TAGLINES]
    bodies.append(rf"sent (?:from|with|via|using|by)(?: my| the| mobile)? (?:{'|'.join(map(re.escape, PRODUCTS))})\b{_WORDS}")
    return re.compile(rf"[\s(<\[*_«-]{{0,6}}(?:{'|'.join(bodies)})(?:{_EXCUSE})?[\s)>\].!*_»-]{{0,6}}$")


_TAGLINE: Final = _taglines()
_LINK: Final = re.compile(
    r"\[([^\]\n]{1,80})\]\([^)\n]{1,200}\)|<https?:[^>\s]{1,300}>|\(https?:[^)\s]{1,300}\)|\[https?:[^\]\s]{1,300}\]"
)
_UNDERSCORES: Final = re.compile(r"\s{0,3}(?:_{2,}|-{3,}|~{4,}|={4,}|\*{4,})\s*$")


def is_delimiter(texts: Sequence[str], at: int) -> bool:
    """``-- `` of RFC 3676 4.3; ``--`` without its space, and a dash of another kind, only above a few lines."""
    text = texts[at]
    if text in ("-- ", "--  "):
        return True
    if text.strip() not in ("--", "- --"):
        return False
    below = [one for one in texts[at + 1 : at + 3 * MAX_SIGNATURE_LINES] if one.strip() and not one.startswith(">")]
    return len(below) <= MAX_SIGNATURE_LINES


def is_tagline(text: str) -> bool:
    """*Sent from my iPhone* and its kin: the whole line, no sentence that goes on."""
    if not 6 <= len(text) <= LOOKED_AT:
        return False
    return _TAGLINE.match(_LINK.sub(lambda link: link[1] or "", text).replace("’", "'").strip().casefold()) is not None


def is_disclaimer(text: str, below: str) -> bool:
    """The first line of a paragraph of legal text: a known beginning, and a word of law in it or in what stands ``below``."""
    begun = text[:LOOKED_AT].strip(" \t*_#|([-").casefold()
    if not begun.startswith(DISCLAIMERS):
        return False
    told = begun + below[:LOOKED_AT].casefold()
    return any(word in told for word in LEGAL_WORDS)


def is_banner(text: str) -> bool:
    """What gateways write above mail from outside."""
    return text[:LOOKED_AT].strip(" \t*_#|([-!⚠️>").casefold().startswith(BANNERS)


def is_list_footer(texts: Sequence[str], at: int) -> bool:
    """A row of underscores or dashes, and below it at once what list software writes; nothing much after that."""
    if len(texts[at]) > LOOKED_AT or _UNDERSCORES.match(texts[at]) is None:
        return False
    below = [one[:LOOKED_AT].casefold() for one in texts[at + 1 : at + 1 + 3 * MAX_FOOTER_LINES] if one.strip()]
    return len(below) <= MAX_FOOTER_LINES and any(word in one for one in below[:_TAIL_LINES] for word in LIST_FOOTERS)
