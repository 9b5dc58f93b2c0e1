"""Attribution lines as mail programs write them: each above a quote, above an unquoted mail, and in prose that is none."""

from __future__ import annotations

import re
from textwrap import wrap

import pytest

from ticketmail.domain.inbound.lines import Kind
from ticketmail.domain.inbound.quoting import fold_text

ANSWER = "Thank you, that works now."

#: Program or language -> the lines as they are sent.
WRITTEN = {
    "gmail en": "On Mon, Feb 1, 2016 at 6:32 PM, Ann Example <ann@example.org> wrote:",
    "gmail en wrapped": "On Mon, Feb 1, 2016 at 6:32 PM, Ann Example\n<ann@example.org> wrote:",
    "gmail en wrapped twice": "On Mon, Feb 1, 2016 at 6:32 PM, Ann Example via Support <\nann@example.org>\nwrote:",
    "gmail en wrapped bracket": "On Mon, Feb 1, 2016 at 6:32 PM Ann Example <ann@example.org\n> wrote:",
    "polymail": "On Thu, 31 Mar 2016 at 11:16 Ann Example\n\n<\nmailto:Ann Example <ann@example.org>\n> wrote:",
    "apple en": "On 11-Apr-2011, at 6:54 PM, Ann Example <ann@example.org> wrote:",
    "apple ios en": "On Apr 3, 2012, at 4:19 PM, Ann Example <ann@example.org> wrote:",
    "thunderbird en": "On 04/19/2011 07:10 AM, Ann Example wrote:",
    "evolution": "On Tue, 2011-03-01 at 18:02 +0530, Ann Example wrote:",
    "mutt": "On Tue, Mar 01, 2011 at 06:02:11PM +0530, Ann Example wrote:",
    "zoho": "---- On Wed, 24 Feb 2021 14:02:50 +0530 ann@example.org wrote ----",
    "android dashes": "---- Ann Example wrote ----",
    "yahoo at": "At 6/16/2016 08:32 PM, you wrote:",
    "gmail iso": "2016-10-24 15:36 GMT+02:00 Ann Example <ann@example.org>:",
    "gmail iso wrapped": "2016-10-24 15:36 GMT+02:00 Ann Example <\nann@example.org>:",
    "yandex": '30.09.2017, 18:30, "Ann Example" <ann@example.org>:',
    "gnus": "Ann Example <ann@example.org> writes:",
    "name wrote": "Ann Example <ann@example.org> wrote:",
    "gmail de": "Am Mi., 3. Feb. 2016 um 15:35 Uhr schrieb Ann Beispiel <ann@example.org>:",
    "gmail de android": "Am 03.02.2016 3:35 nachm. schrieb Ann Beispiel <ann@example.org>:",
    "thunderbird de": "Am 03.02.2016 um 15:35 schrieb Ann Beispiel:",
    "apple de": "Am 03.02.2016 um 15:35 schrieb Ann Beispiel <ann@example.org>:",
    "gmx de": (
        'Gesendet: Mittwoch, 03. Februar 2016 um 15:35 Uhr\nVon: "Ann Beispiel" <ann@example.org>\nAn: help@example.com\n'
        "Betreff: Drucker"
    ),
    "gmail de reversed": "Ann Beispiel <ann@example.org> schrieb am Fr., 28. Apr. 2017 um\n11:53 Uhr:",
    "gmail fr": "Le lun. 4 janv. 2016 à 19:03, Anne Exemple <ann@example.org> a écrit :",
    "apple fr": "Le 4 janv. 2016 à 19:03, Anne Exemple <ann@example.org> a écrit :",
    "thunderbird fr": "Le 04/01/2016 à 19:03, Anne Exemple a écrit :",
    "gmail fr wrapped": 'Le 4 janv. 2016 19:03, "Anne Exemple"\n<ann@example.org>\na écrit :',
    "gmail es": "El lun, 4 ene 2016 a las 19:03, Ana Ejemplo (<ann@example.org>) escribió:",
    "apple es": "El 4 ene 2016, a las 19:03, Ana Ejemplo <ann@example.org> escribió:",
    "gmail pt": "Em seg., 4 de jan. de 2016 às 19:03, Ana Exemplo <ann@example.org> escreveu:",
    "apple pt": "No dia 04/01/2016, às 19:03, Ana Exemplo <ann@example.org> escreveu:",
    "gmail it": "Il giorno lun 4 gen 2016 alle ore 19:03 Anna Esempio <ann@example.org> ha scritto:",
    "thunderbird it": "Il 04/01/2016 19:03, Anna Esempio ha scritto:",
    "gmail nl": "Op ma 4 jan. 2016 om 19:03 schreef Anna Voorbeeld <ann@example.org>:",
    "apple nl": "Op 4 jan. 2016 om 19:03 heeft Anna Voorbeeld <ann@example.org> het volgende geschreven:",
    "gmail sv": "Den mån 4 jan. 2016 kl 19:03 skrev Anna Exempel <ann@example.org>:",
    "apple sv": "4 jan. 2016 kl. 19:03 skrev Anna Exempel <ann@example.org>:",
    "gmail da": "Den man. 4. jan. 2016 kl. 19.03 skrev Anna Eksempel <ann@example.org>:",
    "gmail no": "man. 4. jan. 2016 kl. 19:03 skrev Anna Eksempel <ann@example.org>:",
    "gmail fi": "ma 4. tammik. 2016 klo 19.03 Anna Esimerkki (ann@example.org) kirjoitti:",
    "gmail pl": "pon., 4 sty 2016 o 19:03 Anna Przykład <ann@example.org> napisał(a):",
    "thunderbird pl": "W dniu 04.01.2016 o 19:03, Anna Przykład pisze:",
    "onet pl": "W dniu 4 stycznia 2016 19:03 użytkownik Anna Przykład <ann@example.org>\nnapisał:",
    "gmail cs": "po 4. 1. 2016 v 19:03 odesílatel Anna Příkladová <ann@example.org> napsal:",
    "thunderbird cs": "Dne 04. 01. 16 v 19:03 Anna Příkladová napsal(a):",
    "gmail sk": "po 4. 1. 2016 o 19:03 Anna Príkladová <ann@example.org> napísal(a):",
    "gmail hu": "Példa Anna <ann@example.org> ezt írta (időpont: 2016. jan. 4., H, 19:03):",
    "thunderbird hu": "2016.01.04. 19:03 keltezéssel, Példa Anna írta:",
    "gmail ro": "În lun., 4 ian. 2016 la 19:03, Ana Exemplu <ann@example.org> a scris:",
    "gmail ru": "пн, 4 янв. 2016 г. в 19:03, Анна Пример <ann@example.org>:",
    "old gmail ru": "4 января 2016 г., 19:03 пользователь Анна Пример <ann@example.org> написал:",
    "mail.ru": "Понедельник, 4 января 2016, 19:03 +03:00 от Анна Пример <ann@example.org>:",
    "thunderbird ru": "04.01.2016 19:03, Анна Пример пишет:",
    "gmail uk": "пн, 4 січ. 2016 р. о 19:03 Анна Приклад <ann@example.org> пише:",
    "gmail bg": "На пн, 4.01.2016 г. в 19:03 Анна Пример <ann@example.org> написа:",
    "gmail sr": "Дана пон, 4. јан 2016. у 19:03 Ана Пример <ann@example.org> је написао/ла:",
    "gmail hr": "Dana pon, 4. sij 2016. u 19:03 Ana Primjer <ann@example.org> je napisao/la:",
    "gmail sl": "V V pon., 4. jan. 2016 ob 19:03 je oseba Ana Primer <ann@example.org> napisala:",
    "gmail el": "Στις Δευ 4 Ιαν 2016 στις 7:03 μ.μ., ο/η Άννα <ann@example.org> έγραψε:",
    "gmail tr": "Ann Örnek <ann@example.org>, 4 Oca 2016 Pzt, 19:03 tarihinde şunu yazdı:",
    "apple tr": "Ann Örnek <ann@example.org> şunları yazdı (4 Oca 2016 19:03):",
    "gmail ca": "El dl., 4 gen. 2016, 19:03 Anna Exemple <ann@example.org> va escriure:",
    "gmail vi": "Vào Th 2, 4 thg 1, 2016 vào lúc 19:03 Anh Ví Dụ <ann@example.org> đã viết:",
    "gmail id": "Pada tanggal Sen, 4 Jan 2016 pukul 19.03 Ani Contoh <ann@example.org> menulis:",
    "gmail th": "ในวันที่ จ. 4 ม.ค. 2016 เวลา 19:03 แอน ตัวอย่าง <ann@example.org> เขียนว่า:",
    "gmail he": "\u200fבתאריך יום ב׳, 4 בינו׳ 2016 ב-19:03 מאת \u202aאנה\u202c\u200f <\u202aann@example.org\u202c\u200f>:\u200f",
    "gmail ar": "في الاثنين، ٤ يناير ٢٠١٦ 19:03 آن مثال <ann@example.org> كتب:",
    "gmail zh": "安 <ann@example.org> 于2016年1月4日周一 下午7:03写道：",
    "apple zh": "在 2016年1月4日，下午7:03，安 <ann@example.org> 写道：",
    "gmail zh-tw": "安 <ann@example.org> 於 2016年1月4日 週一 下午7:03寫道：",
    "qq": (
        '------------------ 原始邮件 ------------------\n发件人: "安" <ann@example.org>;\n'
        '发送时间: 2016年1月4日(星期一) 晚上7:03\n收件人: "help" <help@example.com>;\n主题: 打印机'
    ),
    "gmail ja": "2016年1月4日(月) 19:03 アン <ann@example.org>:",
    "apple ja": "2016/01/04 19:03、アン <ann@example.org>のメール：",
    "gmail ko": "2016년 1월 4일 (월) 오후 7:03, 안 <ann@example.org>님이 작성:",
    "apple ko": "2016. 1. 4. 오후 7:03, 안 <ann@example.org> 작성:",
    "gmail et": "Kuupäev E, 4. jaanuar 2016 kell 19:03 kirjutas Anna Näide <ann@example.org>:",
    "gmail lt": "2016-01-04, pr, 19:03 Ona Pavyzdė <ann@example.org> rašė:",
    "gmail lv": "pirmd., 2016. g. 4. janv., plkst. 19:03 — lietotājs Anna (<ann@example.org>) rakstīja:",
    "gmail is": "Þann mán., 4. jan. 2016 kl. 19:03 skrifaði Anna Dæmi <ann@example.org>:",
    "gmail eu": "Anna Adibidea <ann@example.org> igorleak hau idatzi zuen (2016 urt. 4, al. 19:03):",
    "gmail he in order": "\u202bבתאריך יום ב׳, 4 בינו׳ 2016 ב-19:03 מאת \u202aאנה\u202c <\u202aann@example.org\u202c>:\u202c",
    "gmail ar figures": "في الاثنين، ٤ يناير ٢٠١٦ في ٧:٠٣ م تمت كتابة ما يلي بواسطة \u202aآن <ann@example.org>:",
    "gmail fa": "در تاریخ دوشنبه ۴ ژانویهٔ ۲۰۱۶،‏ ۱۹:۰۳ آن <ann@example.org> نوشت:",
    "gmail ca del dia": "Missatge de Anna Exemple <ann@example.org> del dia dl., 4 de gen. 2016 a les 19:03:",
    "gmail sw": "Mnamo Jtt, 4 Jan 2016 saa 19:03 Ann Mfano <ann@example.org> aliandika:",
    "apple pl": "Wiadomość napisana przez Anna Przykład <ann@example.org> w dniu 4 sty 2016, o godz. 19:03:",
    "thunderbird de, author first": "Ann Beispiel schrieb am 04.01.2016 um 19:03:",
    "thunderbird cy": "Ar 4 Ion 2016 19:03, ysgrifennodd Ann Enghraifft:",
    "thunderbird be": "4 сту 2016 г. у 19:03 Ганна Прыклад напісала:",
    "thunderbird sq": "Ann Shembull shkroi më 4 jan 2016, 7:03 m.d.:",
    "roundcube pt": "A 2016-01-04 19:03, Ana Exemplo escreveu:",
    "roundcube eo": "Je 2016-01-04 19:03, Ann Ekzemplo skribis:",
    "claws de": "Am Mon, 4 Jan 2016 19:03:11 +0100\nschrieb Ann Beispiel <ann@example.org>:",
    "claws fr": "Le Mon, 4 Jan 2016 19:03:11 +0100,\nAnne Exemple <ann@example.org> a écrit :",
    "tuta en": "Jan 4, 2016, 19:03 by ann@example.org:",
    "tuta de": "4. Jan. 2016, 19:03 von ann@example.org:",
    "the bat": "Вы писали 4 января 2016 г., 19:03:11:",
    "proton": "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Monday, January 4th, 2016 at 7:03 PM, Ann <ann@example.org> wrote:",
    "groupwise": ">>> Ann Example <ann@example.org> 1/4/2016 7:03 PM >>>",
    "outlook on one line": "From: Ann <ann@example.org> Sent: Monday, January 4, 2016 7:03 PM To: Help Subject: Printer",
    "horde en": "Quoting Ann Example <ann@example.org>:",
    "horde de": "Zitat von Ann Beispiel <ann@example.org>:",
    "yandex phone": '----------------\nКому: help@example.com;\nТема: Re: a;\n04.01.2016, 19:03, "Анна" <ann@example.org>:',
    "gmail zh-cn in order": "On 2016年1月4日周一 19:03 安 <ann@example.org> wrote:",
    "notes": "Ann Example <ann@example.org>\n04.01.2016 19:03\n\nTo\nhelp@example.com\ncc\n\nSubject\nPrinter",
    "notes de": "Ann Beispiel/Firma/DE\n04.01.2016 19:03\n\nAn\nhelp@example.com\nKopie\n\nThema\nDrucker",
    "unknown rule": "-------- Ӱӱӱ ӱӱӱ --------\nFrom: Ann <ann@example.org>\nDate: 1/4/16 19:03\nSubject: Printer",
    "unknown language": "Lorem 04.01.2016 19:03 Anna <ann@example.org> dolorem:",
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_stands_below_an_attribution_is_folded(name):
    folded = fold_text(f"{ANSWER}\n\n{WRITTEN[name]}\n\n> Is your printer on?\n> Ann\n")
    assert folded.top == ANSWER
    assert folded.note == ""


@pytest.mark.parametrize("name", [one for one in WRITTEN if one not in {"gmail iso", "unknown language"}])
def test_a_quote_without_signs_is_folded_too(name):
    folded = fold_text(f"{ANSWER}\n\n{WRITTEN[name]}\n\nIs your printer on?\n\nAnn\n")
    assert folded.top == ANSWER


#: Lines that programs wrap anywhere, and names as people have them.
UNWRAPPED = {"unknown language", "groupwise", "android dashes"}
WRAPPED = [name for name, text in WRITTEN.items() if "\n" not in text and name not in UNWRAPPED]
AUTHORS = ["Ann Example", "Doe, Ann", "Dr. Ann-Marie van der Example-Müller", "'Ann Example' via Support", "安田 太郎"]
LONG = "very.long.address-with-many.words+tag@subdomain.department.example-company.org"
_AUTHOR = re.compile(r"An(?:n|na|ne|a) [A-ZÖ]\w+")


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("address", ["ann@example.org", LONG, "ann@example.org<mailto:ann@example.org>"])
def test_an_attribution_may_be_wrapped_at_any_word(name, address):
    for author in AUTHORS if _AUTHOR.search(WRITTEN[name]) else [""]:
        text = _AUTHOR.sub(author, WRITTEN[name]).replace("ann@example.org", address)
        for width in (78, 60, 48):
            lines = "\n".join(wrap(text, width, break_long_words=False, break_on_hyphens=False))
            assert fold_text(f"{ANSWER}\n\n{lines}\n\n> Is your printer on?\n> Ann\n").top == ANSWER, lines


@pytest.mark.parametrize(
    "line",
    ["Ann Example wrote:", "Ann wrote:", "Ludwig van Beethoven schrieb:", "skrev Ann Eksempel:", "Анна Пример пишет:",
     "安 写道：", "כתב אנה:", "Scríobh Ann Sampla:"],
)  # fmt: skip
def test_a_name_and_a_verb_are_an_attribution_above_a_quote_only(line):
    assert fold_text(f"{ANSWER}\n\n{line}\n> Is your printer on?\n> Ann\n").top == ANSWER
    assert line in fold_text(f"{ANSWER}\n\n{line}\n\nIs your printer on?\n").top


def test_a_sentence_that_points_at_a_quote_is_no_name():
    text = "Please look at what he wrote:\n> Is your printer on?\n> It should be.\n> Ann\n"
    assert fold_text(text).top == "Please look at what he wrote:"


PROSE = [
    "2024-05-03 10:00:33 ERROR mail: from=<ann@example.net> refused:\nline 2",
    "My colleague Ann Example wrote on 3 May 2024 at 10:00:\nthe printer is broken",
    "Ich habe am 3.5.2024 um 10:00 geschrieben:\nkeine Antwort",
    "Customer: 123\nDate: 2024-05-03 10:00\nContact: Ann <ann@example.net>\nFault: printer",
    "The log of 2024-05-03 10:00:\nerror 5",
    "Name: Ann Example\nE-Mail: ann@example.org\nDate: 2024-05-03 10:00\nMessage: it is off",
    "-------- Error report --------\nCode: 5\nTime: 2024-05-03 10:00",
    "At 10:00 on 3.5.2024 the server said:\n500 error",
    "On Thursday, I get proper rendering.",
    "On the surface, this looks like a quote header:\nit is none.",
    "On Thursday, I wrote:\nplease call me back.",
    "As I wrote:\n\nnothing works.",
    "Quoting your manual:\nthe lamp is green",
    "Two things:\n----------\nthe lamp\nthe paper",
    "Am Montag war ich krank.\nMein Kollege schrieb:\nBitte anrufen.",
    "The invoice was sent on 3 May 2024. Nothing has been sent since.",
    "On 3 May 2024 the invoice was sent\nand it never came.",
    "Le 4 janvier, nous avons commandé :\n- une imprimante\n- du papier",
    "Bestellung 4711 vom 03.05.2024:\nein Drucker",
    "My address is ann@example.org, and these are my orders:\n1. a printer",
    "Meeting at 10:00 on 2024-05-03:\nplease come.",
    "On 3 May 2024 at 10:00 I wrote to ann@example.org:\nno reply so far.",
    "We met Ann Example <ann@example.net>\non 3 May 2024 at 10:00, and she wrote:\nthe lamp is red",
    "Appointment for Ann <ann@example.net>\non 03.05.2024 at 10:00 is to be moved:\n\nnew time 11:00.",
    "Bob (bob@example.net), Ann (ann@example.net)\n2024-05-03 10:00 Room 5:\n\nPlease invite all.",
    "[2024-05-03 10:00] <ann@example.net> hello:\n[2024-05-03 10:01] <bob@example.net> hi there:\nand so on",
    "Le 3 mai 2024 à 10:00, j'ai écrit à <ann@example.net> :\npas de réponse.",
    "To\nmy surprise\nthe subject\nwas lost on 03.05.2024 at 10:00",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_no_attribution(text):
    folded = fold_text(f"Hello,\n\n{text}\n\nRegards\nAnn")
    assert {one.kind for one in folded.segments} == {Kind.VISIBLE}


@pytest.mark.parametrize("name", ["gmail en wrapped", "gmail de", "gmail ru", "gmail tr", "gmail hu", "gmail eu", "gmail zh"])
def test_no_blank_line_stands_above_an_attribution(name):
    lines = "\n".join(wrap(WRITTEN[name], 60))
    assert fold_text(f"Thanks\nBob\n{lines}\n> Is it on?\n> Ann\n").top == "Thanks\nBob"


def test_words_before_an_attribution_on_its_line_are_kept():
    folded = fold_text("yes On Wed, Apr 4, 2012 at 3:59 PM, ann@example.org wrote:\n> Is it on?")
    assert folded.top == "yes"
