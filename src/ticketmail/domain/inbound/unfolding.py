"""The second look: what is left must be readable, and quotes that are answered are read with their answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from unicodedata import category

from ticketmail.domain.inbound.labelling import Label
from ticketmail.domain.inbound.lines import Kind, Line
from ticketmail.domain.inbound.quote_words import ANSWERED_BELOW

#: Quoted lines without a word on whose they are: fewer may be a sign that the author points with.
MIN_QUOTED: Final = 3
#: Words of a reply that says no more than where the answers are.
SHORT_WORDS: Final = 40

_QUOTE_KINDS: Final = frozenset({Kind.QUOTE, Kind.ATTRIBUTION})
_BELOW: Final = re.compile("|".join(re.escape(one.casefold()) for one in ANSWERED_BELOW))


def keep_interleaved(lines: Sequence[Line], labels: list[Label]) -> bool:
    """Answers point by point are read with what they answer: quotes between two answers are kept.

    One answer below one quote is an ordinary reply, written at the bottom. A single line that sticks to quoted lines on both
    sides was broken off by wrapping, unless a sentence ends above it.
    """
    for at in range(1, len(labels) - 1):
        around = (labels[at - 1].kind, labels[at].kind, labels[at + 1].kind)
        above, text = lines[at - 1].text, lines[at].text
        if around == (Kind.QUOTE, Kind.VISIBLE, Kind.QUOTE) and above.strip() and text.strip() and _breaks_off(above):
            labels[at] = Label(Kind.QUOTE, "wrapped")
    answers = _answers(lines, labels)
    if len(answers) < 2:
        return False
    first = next(at for at, label in enumerate(labels) if label.kind in (Kind.QUOTE, Kind.ATTRIBUTION))
    for at in range(first, answers[-1]):
        if labels[at].kind in (Kind.QUOTE, Kind.ATTRIBUTION):
            labels[at] = Label(Kind.VISIBLE, "interleaved")
    return True


def _breaks_off(text: str) -> bool:
    """Whether a quoted line may go on in the next one: it does not end a sentence, which may have been answered."""
    return not text.rstrip().endswith((".", "!", "?", "？", "。"))


def keep_pointing(lines: Sequence[Line], labels: list[Label]) -> None:
    """One or two lines with ``>`` and nothing that says whose words they are: a bullet, an arrow. They stay."""
    quoted = [at for at, label in enumerate(labels) if label.kind in _QUOTE_KINDS]
    if sum(lines[at].text.strip() != "" for at in quoted) < MIN_QUOTED and all(
        labels[at] == Label(Kind.QUOTE, ">") for at in quoted
    ):
        for at in quoted:
            labels[at] = Label(Kind.VISIBLE, "pointing" if lines[at].text.strip() else "")


def keep_answers_below(lines: Sequence[Line], labels: list[Label]) -> bool:
    """*See my answers below, in red*: they stand within the quote, where no sign tells them apart. So the quote is kept.

    Only where its lines have no ``>``: there, answers would have been found.
    """
    said = " ".join(line.text for line, label in zip(lines, labels, strict=True) if label.kind is Kind.VISIBLE)
    quoted = [at for at, label in enumerate(labels) if label.kind in _QUOTE_KINDS]
    signed = any(label == Label(Kind.QUOTE, ">") for label in labels)
    if signed or not quoted or len(said.split()) > SHORT_WORDS or _BELOW.search(said.casefold()) is None:
        return False
    for at in quoted:
        labels[at] = Label(Kind.VISIBLE, "answers-below")
    return True


def _answers(lines: Sequence[Line], labels: list[Label]) -> list[int]:
    """The first line of each stretch with words that was written below a quote."""
    answers = []
    quoted = False
    for at, (line, label) in enumerate(zip(lines, labels, strict=True)):
        if label.kind is Kind.QUOTE:
            quoted = True
        elif label.kind is Kind.VISIBLE and quoted and line.text.strip():
            answers.append(at)
            quoted = False
    return answers


def unfold_if_empty(lines: Sequence[Line], labels: list[Label]) -> str:
    """Never nothing to read: show the signature if that is all, else the quote; and say so."""
    worded = [label.kind for line, label in zip(lines, labels, strict=True) if _says_something(line.text)]
    if Kind.VISIBLE in worded or Kind.FORWARDED in worded:
        return ""
    for kinds, note in _UNFOLDING:
        if any(kind in kinds for kind in worded):
            labels[:] = [Label(Kind.VISIBLE, note) if label.kind in kinds else label for label in labels]
            return note
    return (
        ""
        if any(line.text.strip() and label.kind is Kind.VISIBLE for line, label in zip(lines, labels, strict=True))
        else "empty"
    )


def _says_something(text: str) -> bool:
    """Letters, figures, or a picture: a thumb up is an answer."""
    return any(char.isalnum() or category(char) == "So" for char in text)


_UNFOLDING: Final = (
    (frozenset({Kind.QUOTE, Kind.ATTRIBUTION}), "only-quote"),
    (frozenset({Kind.SIGNATURE, Kind.DISCLAIMER}), "only-signature"),
)
