"""Marks by which answers find back: where an account sets them, and nowhere else; the host's own words stay."""

from __future__ import annotations

from uuid import UUID

import pytest

from ticketmail import Message, TicketMail
from ticketmail.app.usecases.marking import Marking, Marks
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ticket import TokenKind, find, find_tag

KEYS = (b"k" * 32,)
MARKING = Marking(KEYS, UUID(int=1), "", "4711", ["ann@example.net"])
LETTER = Message(sender="help@example.com", to="ann@example.net", subject="Printer", text="Hi.", html="<body><p>Hi.</p></body>")


def test_no_account_marks_by_itself() -> None:
    assert MARKING.message(LETTER, Marks()) is LETTER
    assert MARKING.return_path("help@example.com", Marks()) == "help@example.com"


def test_each_mark_leads_back_and_names_where_it_stood() -> None:
    marked = MARKING.message(LETTER, Marks(reply_to=True, body=True, subject=True))
    found = [find(text or "", KEYS) for text in (marked.reply_to[0].addr_spec, marked.text, marked.html)]
    bounce = MARKING.return_path("help@example.com", Marks(bounce_to="bounces@example.com"))

    assert [token.kind for token in found if token] == [TokenKind.REPLY, TokenKind.MARKER, TokenKind.MARKER]
    assert (bounced := find(bounce, KEYS)) is not None
    assert bounced.kind is TokenKind.BOUNCE
    assert find_tag(marked.subject, KEYS, "") == "4711"
    assert marked.html is not None
    assert marked.html.endswith("</p></body>")


def test_what_the_host_says_itself_stays() -> None:
    own = LETTER.model_copy(
        update={"reply_to": (LETTER.sender,), "subject": MARKING.message(LETTER, Marks(subject=True)).subject}
    )
    ready = Message(raw=b"From: a@b.c\r\n\r\nx")
    every = Marks(reply_to=True, body=True, subject=True)

    assert MARKING.message(own, every).reply_to == (LETTER.sender,)
    assert MARKING.message(own, every).subject.count("[#") == 1
    assert MARKING.message(ready, every) is ready
    assert MARKING.return_path("", Marks(bounce_to="bounces@example.com")) == ""


def test_an_account_whose_vendor_takes_no_return_path_is_refused() -> None:
    account = {"url": "smtp://u:p@smtp.office365.com:587", "bounce_to": "bounces@example.com"}

    with pytest.raises(SettingsError, match="office365 takes no other return path"):
        TicketMail(settings={"accounts": {"a": account}})
