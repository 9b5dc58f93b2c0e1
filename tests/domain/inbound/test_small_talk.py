"""Reactions and calendar parts as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.mail import ContentType, ParsedMail, Part
from ticketmail.domain.inbound.small_talk import calendar_of, reaction_of
from ticketmail.domain.received import CalendarNote, Reaction

TO = b"In-Reply-To: <one@example.com>\r\n"


def test_a_reaction_of_rfc_9078():
    raw = TO + b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: reaction\r\n\r\n\xf0\x9f\x91\x8d\r\n"
    assert reaction_of(parse(raw)) == Reaction(emoji="👍", to="one@example.com", rule="rfc9078")


def test_a_reaction_of_gmail():
    raw = (
        TO + b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
        b"\xf0\x9f\x91\x8d Ann reacted via Gmail\r\n--b\r\nContent-Type: text/vnd.google.email-reaction+json\r\n\r\n"
        b'{"version": 1, "emoji": "\xf0\x9f\x91\x8d"}\r\n--b--\r\n'
    )
    assert reaction_of(parse(raw)) == Reaction(emoji="👍", to="one@example.com", rule="gmail")


def test_a_reaction_of_outlook():
    raw = TO + "\r\nAnn Example reacted to your message:\r\n❤️\r\n".encode()
    found = reaction_of(parse(raw))
    assert found is not None
    assert (found.emoji, found.rule) == ("❤️", "outlook")


@pytest.mark.parametrize("text", ["He reacted to your message: with anger.", "👍", "Thanks!", ""])
def test_letters_are_no_reactions(text):
    assert reaction_of(ParsedMail(text=text)) is None


INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Berlin
DTSTART:19700101T000000
END:VTIMEZONE
BEGIN:VEVENT
UID:4711@example.com
SUMMARY:Repair\\, the big
  printer
ORGANIZER;CN="Help: desk":mailto:help@example.com
ATTENDEE;PARTSTAT=ACCEPTED;CN=Ann:mailto:ann@example.org
ATTENDEE:MAILTO:bob@example.org
DTSTART;TZID=Europe/Berlin:20260301T100000
DTEND;TZID=Europe/Berlin:20260301T110000
LOCATION:Room 5
BEGIN:VALARM
SUMMARY:Alarm
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:second
END:VEVENT
END:VCALENDAR
"""


def calendar(text: str, **parameters: str) -> ParsedMail:
    return ParsedMail(attachments=(Part("1", ContentType("text/calendar", parameters), content=text.encode()),))


@pytest.mark.parametrize("text", [INVITATION, INVITATION.replace("\n", "\r\n")])
def test_an_invitation(text):
    assert calendar_of(calendar(text)) == CalendarNote(
        method="REQUEST",
        uid="4711@example.com",
        summary="Repair, the big printer",
        organiser="help@example.com",
        start="20260301T100000",
        end="20260301T110000",
        zone="Europe/Berlin",
        place="Room 5",
        answers=("ann@example.org: ACCEPTED", "bob@example.org: NEEDS-ACTION"),
    )


def test_the_method_may_stand_in_the_type():
    note = calendar_of(calendar("BEGIN:VCALENDAR\nEND:VCALENDAR", method="reply"))
    assert note is not None
    assert note.method == "REPLY"


@given(st.text(max_size=500))
def test_any_text_is_read(text):
    assert calendar_of(calendar(text)) is not None
