"""Mails that are a gesture, not a letter: reactions and calendar answers, as data. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

from ticketmail.domain.inbound.mail import ParsedMail, Part
from ticketmail.domain.received import CalendarNote, Reaction

#: Of a calendar part that is read; invitations are far smaller.
MAX_CALENDAR: Final = 256 * 1024
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_ESCAPED: Final = re.compile(r"\\([\\;,nN])")
_MAILTO: Final = re.compile(r"^mailto:", re.IGNORECASE)
#: *Ann reacted to your message:* as Outlook writes it, where no part says so (nextcloud/mail#10961).
_REACTED: Final = re.compile(r"(?P<who>[^\r\n]{1,100}?) reacted to your message:?\s*$", re.IGNORECASE)
_GMAIL: Final = "text/vnd.google.email-reaction+json"


def reaction_of(mail: ParsedMail) -> Reaction | None:
    """The reaction that a mail is, if it is one: RFC 9078, Gmail's part, Outlook's words."""
    to = mail.in_reply_to[0] if mail.in_reply_to else ""
    for part in (*mail.text_parts, *mail.attachments):
        if part.disposition == "reaction" and (sign := _sign(part.text or part.content.decode("utf-8", "replace"))):
            return Reaction(emoji=sign, to=to, rule="rfc9078")
        if part.content_type.value == _GMAIL and (sign := _gmail(part)):
            return Reaction(emoji=sign, to=to, rule="gmail")
    words = (mail.text or "").strip().splitlines()[:1]
    match = _REACTED.match(words[0]) if words else None
    if match is None:
        return None
    signs = [sign for line in (mail.text or "").strip().splitlines()[1:4] if (sign := _sign(line))]
    return Reaction(emoji=signs[0] if signs else "", to=to, rule="outlook")


def _gmail(part: Part) -> str:
    """``{"version": 1, "emoji": "..."}``."""
    try:
        said = json.loads(part.content[:4096])
    except (ValueError, RecursionError):
        return ""
    return _sign(said.get("emoji", "")) if isinstance(said, dict) and isinstance(said.get("emoji"), str) else ""


def _sign(text: str) -> str:
    """One sign of a few characters, none of which is a letter or a control (RFC 9078 section 2: emoji)."""
    sign = text.strip()
    return sign if 0 < len(sign) <= 12 and not any(one < " " or (one.isalnum() and one.isascii()) for one in sign) else ""


def calendar_of(mail: ParsedMail) -> CalendarNote | None:
    """The first event of the first calendar part, if there is one."""
    for part in (*mail.text_parts, *mail.attachments):
        if part.content_type.value == "text/calendar" or part.sniffed == "text/calendar":
            return _read(part)
    return None


def _read(part: Part) -> CalendarNote:
    """Lines unfolded; properties of the first VEVENT (or VTODO) only, alarms and time zones left out."""
    text = part.text if part.text is not None else part.content[:MAX_CALENDAR].decode("utf-8", "replace")
    found: dict[str, tuple[str, str]] = {}
    answers: list[str] = []
    inside: list[str] = []
    for line in _FOLD.sub("", text[:MAX_CALENDAR]).splitlines()[:5_000]:
        head, _, value = _parted(line)
        name, _, parameters = head.partition(";")
        if name.upper() in ("BEGIN", "END"):
            inside = [*inside[:8], value.strip().upper()] if name.upper() == "BEGIN" else inside[:-1]
            if name.upper() == "END" and value.strip().upper() in ("VEVENT", "VTODO"):
                break
        elif inside[-1:] in (["VEVENT"], ["VTODO"], ["VCALENDAR"]):
            found.setdefault(name.upper(), (parameters, value.strip()))
            if name.upper() == "ATTENDEE" and len(answers) < 200:
                answers.append(
                    f"{_MAILTO.sub('', value.strip())[:320]}: {_parameter(parameters, 'PARTSTAT')[:40] or 'NEEDS-ACTION'}"
                )
    method = found.get("METHOD", ("", ""))[1] or part.content_type.parameters.get("method", "")
    return _note(found, method.upper()[:40], tuple(answers))


def _note(found: dict[str, tuple[str, str]], method: str, answers: tuple[str, ...]) -> CalendarNote:
    def value(name: str) -> str:
        return _ESCAPED.sub(lambda one: "\n" if one[1] in "nN" else one[1], found.get(name, ("", ""))[1])[:500]

    return CalendarNote(
        method=method,
        uid=value("UID"),
        summary=value("SUMMARY"),
        organiser=_MAILTO.sub("", value("ORGANIZER")),
        start=value("DTSTART"),
        end=value("DTEND"),
        zone=_parameter(found.get("DTSTART", ("", ""))[0], "TZID")[:100],
        place=value("LOCATION"),
        answers=answers,
    )


def _parted(line: str) -> tuple[str, str, str]:
    """A content line at its first colon outside of quotes (RFC 5545 section 3.1)."""
    quoted = False
    for at, sign in enumerate(line[:2_000]):
        quoted ^= sign == '"'
        if sign == ":" and not quoted:
            return line[:at], ":", line[at + 1 :]
    return line, "", ""


def _parameter(parameters: str, name: str) -> str:
    match = re.search(rf'(?:^|;){name}=(?:"([^"]*)"|([^;]*))', parameters[:2_000], re.IGNORECASE)
    return (match[1] or match[2] or "") if match else ""
