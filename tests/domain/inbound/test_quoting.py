"""Folding of plain texts, a rule at a time; and what holds for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpu_time import cpu_s
from ticketmail.domain.inbound.lines import Kind, Line, Mark
from ticketmail.domain.inbound.quote_words import FORWARDED, HEADINGS, ORIGINAL, REPLY_MARKERS
from ticketmail.domain.inbound.quoting import fold, fold_text
from ticketmail.domain.inbound.subjects import is_forward
from ticketmail.testing.strategies import quoted_mails

WROTE = "On Mon, Feb 1, 2016 at 6:32 PM, Ann <ann@example.org> wrote:"


def kinds(text: str) -> list[Kind]:
    return [one.kind for one in fold_text(text).segments]


# --- quotes -----------------------------------------------------------------------------------------------------------------


def test_a_reply_above_its_quote():
    folded = fold_text(f"Yes.\n\n{WROTE}\n\n> Is it on?\n>\n> Ann\n")
    assert folded.top == "Yes."
    assert [one.kind for one in folded.segments] == [Kind.VISIBLE, Kind.ATTRIBUTION, Kind.QUOTE]
    assert [one.rule for one in folded.segments] == ["", "wrote", ">"]


def test_a_reply_below_its_quote():
    assert fold_text(f"{WROTE}\n> Is it on?\n\nYes.\n").top == "Yes."


def test_words_above_and_below_one_quote_are_both_read():
    assert fold_text(f"Hello Ann,\n{WROTE}\n> Is it on?\n\nYes.\n").top == "Hello Ann,\n\nYes."


def test_answers_point_by_point_are_read_with_what_they_answer():
    text = f"{WROTE}\n> Is it on?\n\nYes.\n\n> Is it red?\n\nNo.\n\n> Ann\n"
    folded = fold_text(text)
    assert folded.note == "interleaved"
    assert folded.top == f"{WROTE}\n> Is it on?\n\nYes.\n\n> Is it red?\n\nNo."
    assert folded.segments[-1].kind is Kind.QUOTE


def test_a_quoted_line_that_was_wrapped_stays_quoted():
    text = f"Yes.\n\n{WROTE}\n> Is the big printer on the second\nfloor on?\n> Ann\n"
    assert fold_text(text).top == "Yes."


def test_a_sign_that_closes_a_wrapped_link_is_no_quote():
    assert fold_text("See <https://example.org/a\n> and tell me.").top == "See <https://example.org/a\n> and tell me."


def test_text_at_the_top_under_an_attribution_without_signs_is_kept():
    assert fold_text(f"{WROTE}\n\nIt is off.\n").top == "It is off."


@pytest.mark.parametrize("sign", ["|", "»", "＞", "AE>"])
def test_other_signs_of_quotes_below_an_attribution(sign):
    quote = f"{WROTE}\n{sign} Is it on?\n{sign} Ann\n"
    assert fold_text(f"Yes.\n\n{quote}").top == "Yes."
    assert fold_text(f"{quote}\nYes.").top == "Yes."


def test_a_table_and_a_list_with_such_signs_are_kept():
    text = "The list:\n\n| Item | Qty |\n|------|-----|\n| Ink | 2 |\n\n» one\n» two\n» three"
    assert fold_text(text).top == text


def test_names_as_quote_signs_count_below_an_attribution_only():
    assert fold_text(f"Yes.\n\n{WROTE}\n\nAnn> Is it on?\n").top == "Yes."
    assert fold_text("Shell> ls\nprints nothing.").top == "Shell> ls\nprints nothing."


@pytest.mark.parametrize(
    "mail", [f"{WROTE}\n> Is it on?\n", "> Is\n> it\n> on?\n> Is it on?", "-----Original Message-----\nIs it on?"]
)
def test_a_mail_that_is_only_a_quote_stays_visible_and_says_so(mail):
    folded = fold_text(mail)
    assert "Is it on?" in folded.top
    assert folded.note == "only-quote"


@pytest.mark.parametrize("text", ["Menu:\n> File\n> Open", "Look here:\n>>> https://example.org <<<\nand buy"])
def test_one_or_two_lines_with_a_sign_and_nothing_else_are_the_authors_own(text):
    assert fold_text(text).top == text


@pytest.mark.parametrize(
    "said", ["Please see my answers below, in red.", "Hallo Ann,\n\nsiehe unten.\n\nGruß", "Voir ci-dessous"]
)
def test_answers_that_stand_within_an_unsigned_quote_are_read(said):
    folded = fold_text(f"{said}\n\nFrom: Ann <ann@example.org>\nSent: Monday\nSubject: Printer\n\nIs it on? Yes, it is.\n")
    assert folded.note == "answers-below"
    assert folded.top.endswith("Is it on? Yes, it is.")


def test_within_a_signed_quote_answers_would_have_been_found():
    assert fold_text(f"See below.\n\n{WROTE}\n> Is it on?\n> Ann\n").top == "See below."


def test_an_empty_mail_says_so():
    assert (fold_text("").note, fold_text(" \n\n").note) == ("empty", "empty")


def test_a_thumb_is_an_answer():
    assert fold_text(f"👍\n\n{WROTE}\n> Is it on?").top == "👍"


def test_a_line_below_the_end_of_a_sentence_was_not_wrapped():
    text = f"{WROTE}\n> Is it on?\nYes.\n> Is it red?\nNo.\n"
    assert fold_text(text).note == "interleaved"
    assert fold_text(text).top == text.rstrip()


def test_a_prompt_is_no_quote():
    for code in (">>> import printer\n>>> printer.on()", ">>> for number in range(10):\n...     print(number)"):
        text = f"Use this:\n\n{code}\n\nIt fails."
        assert fold_text(text).top == text


def test_a_smiley_is_an_answer():
    folded = fold_text(f":-)\n\n{WROTE}\n> Is it on?")
    assert ":-)" in folded.top


# --- what parts two mails ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ORIGINAL)
def test_original_message_in_every_language(words):
    assert fold_text(f"Yes.\n\n-----{words}-----\nIs it on?\n").top == "Yes."
    assert fold_text(f"Yes.\n\n*-------- {words} --------*\nIs it on?\n").top == "Yes."


@pytest.mark.parametrize("words", FORWARDED)
def test_a_mail_that_was_passed_on_is_read_and_known(words):
    folded = fold_text(f"Please help.\n\n---------- {words} ----------\nFrom: Ann <ann@example.org>\n\nIs it on?\n")
    assert folded.top.startswith("Please help.")
    assert "Is it on?" in folded.top
    assert folded.segments[-1].kind is Kind.FORWARDED


@pytest.mark.parametrize("words", REPLY_MARKERS)
def test_reply_above_in_every_language(words):
    assert fold_text(f"Yes.\n\n##- Please: {words} -##\nTicket 4711\n").top == "Yes."


@pytest.mark.parametrize(
    "line", ["--- Reply above. Do not remove this line. ---", "Please reply above", "## Write your reply above ##"]
)
def test_reply_above_in_few_words(line):
    assert fold_text(f"Yes.\n\n{line}\n\nTicket 4711\n").top == "Yes."


def test_a_request_to_reply_above_all_is_prose():
    assert kinds("Hello,\n\nPlease reply above all to my second question.") == [Kind.VISIBLE]


def test_prose_about_a_reply_above_something_is_kept():
    assert kinds("This is a reply above headers.\n\nIt is kept.") == [Kind.VISIBLE]


def test_our_own_marker_parts_two_mails():
    assert fold_text("Yes.\n\n[ref abcdefghijklmnopqrstuvwxyz234567]\nYour ticket.\n").top == "Yes."


def first(names: str) -> str:
    return names.split("|")[0]


@pytest.mark.parametrize("row", HEADINGS, ids=lambda row: row.language)
@pytest.mark.parametrize("form", ["{}: {}", "*{}:* {}", "{} : {}", "{}：{}"])
def test_a_quoted_header_in_every_language(row, form):
    fields = [(row.sender, "Ann Example"), (row.sent, "2016-02-01 18:32"), (row.to, "help@example.com"), (row.subject, "Printer")]
    header = "\n".join(form.format(first(name), value) for name, value in fields)
    folded = fold_text(f"Yes.\n\n________________________________\n{header}\n\nIs it on?\n")
    assert folded.top == "Yes."
    assert folded.segments[-1].rule == "quoted-header"


def test_blank_lines_between_the_fields_and_wrapped_values():
    header = "From: Ann <ann@example.org>\n\nSent: Monday\n\nTo: help@example.com;\n someone@example.com\n\nSubject: Printer"
    assert fold_text(f"Yes.\n\n{header}\n\nIs it on?").top == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "From: Rome\nTo: Paris\nDate: 3 May\nPlease book it.",
        "Date: Wednesday 3, October 2011\nTime: 7 : 00am\nAddress: 130 Fox St",
        "To: everybody\nSubject: printers",
        "From: Ann\nplease call.",
        "De: 10 a 12 horas",
        "From: 10:00\nTo: 11:00\nSubject: the lesson",
        "Name: Ann\nFrom: Rome\nE-Mail: ann@example.org\nSubject: Offer",
    ],
)
def test_lines_with_colons_are_no_header(text):
    assert kinds(f"Hello,\n\n{text}") == [Kind.VISIBLE]


def test_the_subject_says_that_a_mail_was_passed_on():
    text = "Please help.\n\nVon: Ann <ann@example.org>\nGesendet: Montag\nAn: Bob\nBetreff: Drucker\n\nGeht nicht.\n"
    assert fold_text(text, forwarded=is_forward("WG: Drucker")).segments[-1].kind is Kind.FORWARDED
    assert fold_text(text, forwarded=is_forward("AW: Drucker")).segments[-1].kind is Kind.QUOTE


# --- what is not said -------------------------------------------------------------------------------------------------------


def test_a_signature_below_its_delimiter():
    folded = fold_text("Yes.\n\n-- \nAnn Example\nExample Ltd\n")
    assert folded.top == "Yes."
    assert folded.segments[-1].kind is Kind.SIGNATURE


def test_a_signature_above_a_quote_does_not_swallow_it():
    assert kinds(f"Yes.\n-- \nAnn\n\n{WROTE}\n> Is it on?\n") == [Kind.VISIBLE, Kind.SIGNATURE, Kind.ATTRIBUTION, Kind.QUOTE]


def test_a_long_text_below_two_dashes_is_text():
    text = "First part.\n--\n" + "\n".join(f"Line {at}" for at in range(20))
    assert kinds(text) == [Kind.VISIBLE]


def test_a_mail_that_is_a_signature_is_shown():
    folded = fold_text("Sent from my iPhone")
    assert (folded.top, folded.note) == ("Sent from my iPhone", "only-signature")


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Sent from my Samsung Galaxy smartphone.",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Sent from [Mail](https://example.org) for Windows 10",
        "(sent from a phone)",
        "Von meinem iPhone gesendet",
        "Diese Nachricht wurde von meinem Android-Mobiltelefon mit K-9 Mail gesendet.",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Отправлено с iPhone",
        "iPhone'umdan gönderildi",
        "从我的 iPhone 发送",
        "iPhoneから送信",
        "나의 iPhone에서 보냄",
        "נשלח מה-iPhone שלי",
        "أرسلت من الـ iPhone",
        "iPhone’umdan gönderildi",
        "Sent from Superhuman",
        "Sent with Mailtrack",
        "Skickas från e-post för Windows 10",
        "Az iPhone készülékemről küldve",
        "मेरे iPhone से भेजा गया",
        "下载 Outlook for iOS",
        "iOS için Outlook'u edinin",
        "获取适用于 iOS 的 Outlook",
        "iOS 版 Outlook を入手",
        "Получить Outlook для iOS",
        "Windows için Posta ile gönderildi",
        "Enviado do Correio para Windows",
        "发自我的华为手机",
        "发自 网易邮箱大师",
        "Secured with Tuta Mail: https://tuta.com/free-email",
        "Sent from my Verizon, Samsung Galaxy smartphone",
        "Sent from my phone, please excuse typos",
        "Envoyé de mon appareil Android avec Courriel K-9 Mail. Veuillez excuser ma brièveté.",
    ],
)
def test_what_phones_add_is_folded(line):
    folded = fold_text(f"Yes.\n\n{line}\n")
    assert folded.top == "Yes."
    assert folded.segments[-1].kind is Kind.SIGNATURE


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my desk, is much easier than my phone.",
        "Sent from a magnificent torch of pixels",
        "I sent it from my phone!",
        "发自内心的感谢",
    ],
)
def test_sentences_about_sending_are_kept(line):
    assert line in fold_text(f"Yes.\n\n{line}\n").top


def test_best_regards_are_said():
    assert fold_text("Yes.\n\nBest regards\nAnn").top == "Yes.\n\nBest regards\nAnn"


@pytest.mark.parametrize(
    "line",
    [
        "This e-mail and any attachments are confidential.",
        "CONFIDENTIALITY NOTICE: for the addressee only.",
        "Diese E-Mail enthält vertrauliche Informationen.",
        "Ce message et toutes les pièces jointes sont confidentiels.",
        "Please consider the environment before printing this e-mail.",
    ],
)
def test_legal_text_at_the_end_is_folded(line):
    folded = fold_text(f"Yes.\n\nAnn\n\n{line}\nMore of that.\n")
    assert folded.top == "Yes.\n\nAnn"
    assert folded.segments[-1].kind is Kind.DISCLAIMER


LEGAL = "This e-mail and any attachments are confidential."


def test_legal_text_below_a_quote_is_folded():
    quote = f"{WROTE}\n> Is it on?\n> Ann\n"
    assert fold_text(f"Yes.\n\n{quote}\n{LEGAL}\n").top == "Yes."
    assert fold_text(f"{quote}\n{LEGAL}\n").top == quote.strip()
    assert fold_text(f"{LEGAL}\n").top == LEGAL


@pytest.mark.parametrize(
    "rest", ["Yes.\n", f"{WROTE}\n> Is it on?\n> Ann\n", "From: Ann <a@example.net>\nSent: today\nTo: Bob\nOn?\n"]
)
def test_a_banner_above_a_mail_changes_nothing_else(rest):
    banner = "CAUTION: This email originated from outside of the organization.\nDo not click links.\n\n"
    assert fold_text(banner + rest).top == fold_text(rest).top
    assert fold_text(banner).top == banner.strip()


def test_lines_that_end_with_one_cr_too_many_are_lines():
    text = f"Yes.\n\n{WROTE}\n\n> Is it on?\n> Ann\n"
    assert fold_text(text.replace("\n", "\r\r\n")).top == "Yes."


def test_footers_of_lists_are_folded():
    footer = "_______________________________________________\nriak-users mailing list\nhttps://example.org/mailman/listinfo/riak"
    assert fold_text(f"Hello all.\n\n{footer}\n").top == "Hello all."


def test_a_rule_within_a_text_is_kept():
    assert kinds("One\n----\nTwo\n____\nThree") == [Kind.VISIBLE]


# --- structure --------------------------------------------------------------------------------------------------------------


def test_marks_of_structure_go_before_words():
    folded = fold(
        [Line("Yes."), Line("Is it on?", Mark.QUOTE, 1, "html:cite"), Line("Ann", Mark.SIGNATURE, 0, "html:#signature")]
    )
    assert folded.top == "Yes."
    assert [one.kind for one in folded.segments] == [Kind.VISIBLE, Kind.QUOTE, Kind.SIGNATURE]


def test_from_a_rest_mark_on_all_is_quoted():
    assert fold([Line("Yes."), Line("Lorem:", Mark.REST, 0, "html:#divrplyfwdmsg"), Line("ipsum")]).top == "Yes."


def test_a_block_set_in_by_its_author_is_kept_unless_an_attribution_stands_above():
    block = [Line("Is it on?", Mark.INDENT, 1), Line("", Mark.PLAIN, 1), Line("Ann", Mark.INDENT, 1)]
    assert "Is it on?" in fold([Line("As the manual says:"), *block]).top
    assert fold([Line("Yes."), Line(WROTE), *block]).top == "Yes."


def test_hidden_text_is_a_segment_and_never_on_top():
    folded = fold([Line("Yes."), Line("click here now", Mark.HIDDEN, 0, "hidden:display:none")])
    assert folded.top == "Yes."
    assert folded.segments[1].kind is Kind.HIDDEN


# --- any text ---------------------------------------------------------------------------------------------------------------


@given(st.one_of(st.text(max_size=2_000), quoted_mails()))
def test_segments_cover_the_body_and_there_is_always_something_to_read(text):
    folded = fold_text(text)
    covered = "\n".join(one.text for one in folded.segments)
    assert "".join(covered.split()) == "".join("\n".join(line.text for line in _lines(text)).split())
    assert bool(folded.top.strip()) or folded.note == "empty" or not any(map(str.isalnum, text))


def _lines(text: str) -> list[Line]:
    from ticketmail.domain.inbound.lines import lines_of

    return lines_of(text)


@given(st.text(max_size=500))
def test_folding_what_was_read_keeps_what_was_written(text):
    """A second fold of the top takes nothing that the first one showed for lack of anything else."""
    top = fold_text(text).top
    assert bool(fold_text(top).top.strip()) == bool(top.strip())


MIB = 1024 * 1024
HOSTILE = {
    "one line": "a" * MIB,
    "blank lines": "\n" * MIB,
    "signs": ">" * MIB,
    "signs on lines": ">\n" * (MIB // 2),
    "on": "On " * (MIB // 3),
    "wrote": "wrote:\n" * (MIB // 7),
    "attributions": (WROTE + "\n") * (MIB // len(WROTE)),
    "attributions and quotes": (WROTE + "\n> a\nb\n") * (MIB // 70),
    "headers": "From: a\n" * (MIB // 8),
    "froms": "From: " * (MIB // 6),
    "dashes": "-" * MIB,
    "dashes on lines": "--\n" * (MIB // 3),
    "rules": "_____\n" * (MIB // 6),
    "colons": ":\n" * (MIB // 2),
    "addresses": "a@b " * (MIB // 4),
    "spaces": " " * MIB,
    "brackets": "<" * MIB,
    "taglines": "Sent from my iPhone\n" * (MIB // 20),
    "disclaimers": "Disclaimer: a\n" * (MIB // 14),
    "digits": "1" * MIB,
    "dates": "2016-02-01 18:32 GMT\n" * (MIB // 21),
    "wrapped": "> a\nb\n" * (MIB // 6),
    "two dashes": "a\n-- \n" * (MIB // 6),
    "arrows": "a\n" + ">>> a 1/1/2026 >>>\n" * (MIB // 19),
    "arrows on a line": "a\n>>> " + "1/1/2026 " * (MIB // 9),
    "names": "Ann wrote:\n> a\n" * (MIB // 15),
    "run on": "From: a Sent: b To: c " * (MIB // 22),
    "dates above": "Mon, 4 Jan 2016 19:03:11\nAnn <a@b.example> wrote:\n" * (MIB // 50),
    "opened": "On Mon, Feb 1, 2016 at 6:32 PM, Ann\n" * (MIB // 36),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_folded_within_a_second(name):
    assert cpu_s(lambda: fold_text(HOSTILE[name])) < 1.0
