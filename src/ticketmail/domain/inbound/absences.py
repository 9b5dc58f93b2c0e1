"""Out-of-office notes: the words of programs and people, and the day of return.

Words are weak evidence. A subject counts alone only where a program writes it in front of ours; else the text must agree.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final

from ticketmail.domain.inbound.wordings import Phrases

_AUTOMATIC: Final = (
    r"(?-i:AUTO)|auto(?:matic|mated)?[-: ]*(?:reply|response|answer|acknowledg\w+)|out of (?:the )?office(?: auto-?reply)?"
    r"|vacation (?:response|reply|message)"
    r"|automatische (?:antwort|abwesenheit\w*)|abwesenheits(?:notiz|assistent|benachrichtigung|meldung|nachricht)|abwesend"
    r"|r[ée]ponse automatique|absence du bureau|message d['’]absence|absent du bureau"
    r"|respuesta autom[áa]tica|fuera de (?:la )?oficina|resposta autom[áà]tica|(?:fora|ausente) do escritório|risposta automatica"
    r"|fuori (?:sede|ufficio)|erantzun automatikoa"
    r"|automatisch(?:e)? (?:antwoord|beantwoord\w*)|afwezig(?:heid\w*)?|niet op kantoor"
    r"|autosvar|automatiskt? svar|frånvaro\w*|ikke til ?stede|fravær\w*|sjálfvirkt svar|automaattinen vastaus"
    r"|lomavastaus|poissa(?:olo\w*)?"
    r"|odpowiedź automatyczna|automatyczna odpowiedź|autoodpowiedź|nieobecnoś\w*"
    r"|automatická odpově[dď]|automatická odpoveď|mimo kancelář"
    r"|automatikus válasz|házon kívül|răspuns automat|automatski odgovor|samodejni odgovor|аутоматски одговор|автоматски одговор"
    r"|автоматичен отговор|автоматический ответ|автоответ(?:чик)?|автоматична відповідь|нет на месте|автоматты жауап"
    r"|otomatik (?:yanıt|cevap)|ofis dışında|automatinis atsakymas|automātisk[aā] atbilde|automaat(?:ne )?vastus"
    r"|αυτόματη απάντηση|εκτός γραφείου"
    r"|תשובה אוטומטית|מענה אוטומטי|(?:ال)?رد (?:ال)?تلقائي|پاسخ خودکار|स्वचालित (?:उत्तर|जवाब)|(?:การ)?ตอบกลับอัตโนมัติ"
    r"|(?:thư )?trả lời tự động|balasan (?:otomatis|automatik)"
    r"|自动(?:回复|答复)|自動(?:回覆|回复|答覆|応答|返信)|不在(?:通知|返信)|자동 ?(?:회신|응답|답장)|부재 ?중(?: 알림)?"
)
#: Programs put these in front of the subject that they answer, with a colon; people's answers would begin with ``Re:``.
PROGRAM_SUBJECTS: Final = (
    Phrases(
        "autoreply-subject",
        "Exchange, Outlook, Domino, GroupWise, Gmail, Zimbra, Open-Xchange in their languages; Discourse is_auto_generated?",
        (rf"^(?:{_AUTOMATIC})\s?[:：]",),
    ),
)
#: The same as all of a subject, or with a name: people write so too, about such programs and their own absence.
WEAK_SUBJECTS: Final = (
    Phrases(
        "away-subject",
        "vacation programs, where the absent choose the subject; Domino",
        (
            rf"^(?:auto|{_AUTOMATIC})(?:\s?[:：.!(]|\s?[-–—]\s|\s?$)",
            r"^.{1,80} (?:is|will be) out of (?:the )?office(?:[.! ]*$|\s*\(|\s(?:until|till|from|and|returning)\b)",
            r"^(?:i am|i'm) (?:away|out of)\b|^(?:я )?отсутствую\b",
        ),
    ),
)

#: Somebody says to be away.
AWAY_TEXTS: Final = (
    Phrases(
        "away-text",
        "what people write into such notes",
        (
            r"out of (?:the |my )?office|(?:on|away on|currently on) (?:annual |maternity |parental |sick "
            r"|medical )?(?:leave|vacation|holidays?)\b",
            r"(?:am|be|currently|is) (?:currently )?(?:away|absent|travell?ing|unavailable)\b"
            r"|limited access to (?:my )?e-?mail|returning (?:to (?:the )?office )?on"
            r"|(?:i am|i'm|i will be|i'll be) back (?:in (?:the |my )?office|on|from)\b",
            r"nicht im (?:büro|hause?)|abwesend|im urlaub|außer haus|bin (?:ab|erst|wieder)|wieder (?:im büro|erreichbar|da)",
            r"absent(?:e)? (?:du bureau|jusqu|du \d)|en congés?|hors du bureau|de retour|fuera de la oficina|de vacaciones"
            r"|ausente|no me encuentro",
            r"fora do escritório|de férias|fuori (?:sede|ufficio)|in ferie|assente|niet aanwezig|afwezig|met vakantie"
            r"|op vakantie",
            r"på semester|inte på kontoret|på ferie|ikke på kontoret|bortrest|lomalla|poissa|na urlopie|nieobecn"
            r"|mimo kancelář|dovolen[ée]",
            r"в отпуске|отсутству|не на месте|izinde|ofis dışında|不在|休暇|出差|休假|外出|부재",
        ),
    ),
)

#: Somebody must prove to be human before the mail is let through.
CHALLENGES: Final = (
    Phrases(
        "challenge",
        "Boxbe, SpamArrest, Earthlink, TMDA, Mailblocks, Choicemail",
        (
            r"(?:has been|been) waitlisted|sender not pre-?approved|guest list|(?:confirm|verify"
            r"|prove)\w* (?:that )?(?:you are|you're|your|by)[^.\n]{0,60}(?:human|person|sender|message|e-?mail)",
            r"(?:click|visit|follow)[^.\n]{0,60}(?:so (?:that )?(?:your|the)|to (?:verify|confirm|release"
            r"|have) )[^.\n]{0,60}(?:deliver|message|e-?mail|human)",
            r"challenge[-/ ]response|suspect e-?mail filter|requires (?:verification|confirmation|authentication)|spam ?arrest",
        ),
    ),
)

_MONTHS: Final = {
    **{word: 1 for word in ("jan", "janvier", "ene", "gen", "янв", "sty", "ocak", "tammi", "led")},
    **{word: 2 for word in ("feb", "févr", "fév", "fev", "фев", "lut", "şub", "helmi", "úno")},
    **{word: 3 for word in ("mar", "mär", "maa", "mrz", "марта", "мар", "mars", "mrt", "bře")},
    **{word: 4 for word in ("apr", "avr", "abr", "апр", "kwi", "nis", "huhti", "dub")},
    **{word: 5 for word in ("may", "mai", "mei", "maj", "maggio", "mag", "мая", "май", "touko", "kvě")},
    **{word: 6 for word in ("jun", "juin", "giu", "июн", "cze", "haz", "kesä")},
    **{word: 7 for word in ("jul", "juil", "lug", "июл", "lip", "tem", "heinä")},
    **{word: 8 for word in ("aug", "août", "aou", "ago", "авг", "sie", "ağu", "elo", "srp")},
    **{word: 9 for word in ("sep", "set", "сен", "wrz", "eyl", "syys", "zář")},
    **{word: 10 for word in ("oct", "okt", "out", "ott", "окт", "paź", "eki", "loka", "říj")},
    **{word: 11 for word in ("nov", "ноя", "lis", "kas", "marras")},
    **{word: 12 for word in ("dec", "dez", "déc", "dic", "дек", "gru", "ara", "joulu", "pro")},
}
_PREFIXES: Final = sorted(_MONTHS, key=len, reverse=True)
#: Words in front of the day of return, then at most a few words.
_BACK: Final = re.compile(
    r"\b(?:until|till|returning|return|back|through|bis|zurück|ab dem|wieder|jusqu'au|jusqu’au|retour|hasta|regreso|volver|até|"
    r"retorn\w*|volto|fino al|rientr\w*|torn\w+|tot|terug|tillbaka|åter|till och med|tilbake|tilbage|til og med|palaan|saakka|"
    r"do dnia|wracam|powrót|zpět|до|вернусь|по)\b[^\n]{0,40}",
    re.IGNORECASE,
)
_ISO: Final = re.compile(r"\b(20\d\d)-(\d{1,2})-(\d{1,2})\b|\b(20\d\d)[/年](\d{1,2})[/月](\d{1,2})")
_NUMBERS: Final = re.compile(r"\b(\d{1,2})([./-])\s?(\d{1,2})(?:\2\s?(20\d\d|\d\d)?)?(?!\d)")
_DAY_MONTH: Final = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th|er|\.|º)?\s+(?:of |de |d')?([^\W\d_]{3,12})\.?(?:,?\s+(?:de )?(20\d\d))?", re.IGNORECASE
)
_MONTH_DAY: Final = re.compile(r"\b([^\W\d_]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b(?:,?\s+(20\d\d))?", re.IGNORECASE)
_READ: Final = 2_000
_FAR: Final = timedelta(days=400)


def day_of_return(subject: str, text: str, sent: datetime | None) -> date | None:
    """The day that the note names as its end, None if it names none that could be. ``sent`` decides which year, and which of
    day and month comes first where the text leaves it open."""
    if sent is None:
        return None
    for source in (subject, text[:_READ]):
        for match in _BACK.finditer(source):
            found = _first_day(match[0], sent.date())
            if found is not None:
                return found
    return None


def _first_day(text: str, sent: date) -> date | None:
    for match in _ISO.finditer(text):
        year, month, day = (int(one) for one in match.groups() if one is not None)
        return _possible([(year, month, day)], sent)
    numbers = _NUMBERS.search(text)
    if numbers:
        first, second = int(numbers[1]), int(numbers[3])
        year = int(numbers[4] or 0)
        year += 2000 if 0 < year < 100 else 0
        both = [(year, second, first)] if numbers[2] == "." else [(year, second, first), (year, first, second)]
        return _possible(both, sent)
    return _worded(text, sent)


def _worded(text: str, sent: date) -> date | None:
    candidates = [(match[2], match[1], match[3]) for match in _DAY_MONTH.finditer(text)]
    candidates += [(match[1], match[2], match[3]) for match in _MONTH_DAY.finditer(text)]
    for word, day, year in candidates:
        month = next((_MONTHS[one] for one in _PREFIXES if word.lower().startswith(one)), None)
        if month is not None and (found := _possible([(int(year or 0), month, int(day))], sent)):
            return found
    return None


def _possible(days: list[tuple[int, int, int]], sent: date) -> date | None:
    """The nearest of the days that is not before the note was sent. Year 0 is open."""
    found = []
    for year, month, day in days:
        for guess in (year,) if year else (sent.year, sent.year + 1):
            try:
                found.append(date(guess, month, day))
            except ValueError:
                continue
    fitting = [one for one in found if timedelta(days=-1) <= one - sent <= _FAR]
    return min(fitting) if fitting else None
