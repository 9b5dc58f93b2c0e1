"""Where mail programs put the mail that is answered, in HTML: classes, ids and styles that only they write.

Sources: HTML that the programs send (Gmail, Outlook for Windows, Mac, web and phones, Apple Mail, Thunderbird, Yahoo, Zimbra,
Zoho, GMX, Proton, Tuta, Front, Roundcube, Airmail, Mail.ru, Hotmail, Windows Mail), as described by talon, quotequail,
unquotemail and Discourse's extractors (facts were taken, no code). A container that people's own words may stand in too
(``div.gmail_quote``) is not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ticketmail.domain.inbound.lines import Mark

#: Outlook and Apple Mail prefix classes and ids of what they quote: ``x_gmail_quote``.
_PREFIX: Final = re.compile(r"^(?:x_|gmail-m_-?\d+|m_-?\d+|ydp[0-9a-f]{4,40}|yiv\d+|mcntmcnt)+")

CLASSES: Final[Mapping[str, Mark]] = {
    "yahoo_quoted": Mark.QUOTE,
    "protonmail_quote": Mark.QUOTE,
    "tutanota_quote": Mark.QUOTE,
    "zmail_extra": Mark.QUOTE,
    "front-blockquote": Mark.QUOTE,
    "mailru-blockquote": Mark.QUOTE,
    "bloop_original_html": Mark.QUOTE,
    "clean_bq": Mark.QUOTE,
    "freshdesk_quote": Mark.QUOTE,
    "missive_quote": Mark.QUOTE,
    "cm_quote": Mark.QUOTE,
    "canary_quote": Mark.QUOTE,
    "edison_quote": Mark.QUOTE,
    "spark_quote": Mark.QUOTE,
    "ms-outlook-mobile-reference-message": Mark.REST,
    "outlookmessageheader": Mark.REST,
    "yahoo-quoted-begin": Mark.REST,
    "moz-forward-container": Mark.FORWARD,
    "gmail_attr": Mark.ATTRIBUTION,
    "moz-cite-prefix": Mark.ATTRIBUTION,
    "airmail_on": Mark.ATTRIBUTION,
    "gmail_signature": Mark.SIGNATURE,
    "gmail_signature_prefix": Mark.SIGNATURE,
    "moz-signature": Mark.SIGNATURE,
    "protonmail_signature_block": Mark.SIGNATURE,
    "bloop_sign": Mark.SIGNATURE,
    "front-signature": Mark.SIGNATURE,
    "canary-signature": Mark.SIGNATURE,
    "cm_signature": Mark.SIGNATURE,
    "ms-outlook-mobile-signature": Mark.SIGNATURE,
}
IDS: Final[Mapping[str, Mark]] = {
    "olk_src_body_section": Mark.QUOTE,
    "mail-editor-reference-message-container": Mark.QUOTE,
    "isreplycontent": Mark.QUOTE,
    "replybody1": Mark.QUOTE,
    "isforwardcontent": Mark.FORWARD,
    "forwardbody1": Mark.FORWARD,
    "divrplyfwdmsg": Mark.REST,
    "appendonsend": Mark.REST,
    "stopspelling": Mark.REST,
    "zwchr": Mark.REST,
    "quoted_header": Mark.REST,
    "reply-intro": Mark.ATTRIBUTION,
    "signature": Mark.SIGNATURE,
    "canarysig": Mark.SIGNATURE,
    "ms-outlook-mobile-signature": Mark.SIGNATURE,
    "applemailsignature": Mark.SIGNATURE,
    "ymail_android_signature": Mark.SIGNATURE,
    "composer_signature": Mark.SIGNATURE,
}
#: ``<div name=...>``: GMX and WEB.DE, Spark.
NAMES: Final[Mapping[str, Mark]] = {
    "quote": Mark.QUOTE,
    "messagereplysection": Mark.QUOTE,
    "messagesignaturesection": Mark.SIGNATURE,
}
#: Outlook 2007 to 2019 and Windows Mail draw a line above the header of the mail that is answered. Who passes such HTML on
#: writes the style anew.
_RULED_BOX: Final = re.compile(
    r"border-top:(?=[^;]*solid)(?=[^;]*1(?:\.0)?pt)[^;]*(?:#e1e1e1|#b5c4df|windowtext|rgb\(225,225,225\)|rgb\(181,196,223\))|"
    r"padding-top:5px;border-top-color:rgb\(229,229,229\);border-top-width:1px;border-top-style:solid"
)
_ITS_PADDING: Final = re.compile(r"padding:3(?:\.0)?pt0|padding-top:5px")
_SPACES: Final = re.compile(r"\s+")


def mark_of(tag: str, attributes: Mapping[str, str | None]) -> tuple[Mark, str]:
    """What an element says of the lines in it (of all lines from it on: :attr:`Mark.REST`), and the name of the rule."""
    if tag == "blockquote":
        return _blockquote(attributes)
    if tag == "includetail":  # QQ Mail
        return Mark.REST, "html:includetail"
    if tag == "hr" and (attributes.get("tabindex") == "-1" or attributes.get("data-marker") == "__DIVIDER__"):
        return Mark.REST, "html:hr"
    named = _named(attributes)
    if named is not None:
        return named
    if tag == "div":
        return _division(attributes)
    return Mark.PLAIN, ""


def _named(attributes: Mapping[str, str | None]) -> tuple[Mark, str] | None:
    """By id, then by class."""
    identity = attributes.get("id")
    if identity:
        name = _PREFIX.sub("", identity[:120].lower())
        mark = Mark.QUOTE if name.startswith("yahoo_quoted") else IDS.get(name)
        if mark is not None:
            return mark, f"html:#{name}"
    for word in (attributes.get("class") or "")[:400].lower().split():
        name = _PREFIX.sub("", word)
        if name in CLASSES:
            return CLASSES[name], f"html:.{name}"
    return (Mark.SIGNATURE, "html:smartmail") if attributes.get("data-smartmail") == "gmail_signature" else None


def _blockquote(attributes: Mapping[str, str | None]) -> tuple[Mark, str]:
    """``type=cite`` is written by programs only; a bare one is made by people too, and Gmail's by both."""
    if (attributes.get("type") or "").lower() == "cite":
        return Mark.QUOTE, "html:cite"
    named = _named(attributes)
    return named if named is not None else (Mark.INDENT, "html:blockquote")


def _division(attributes: Mapping[str, str | None]) -> tuple[Mark, str]:
    name = (attributes.get("name") or "")[:40].lower()
    if name in NAMES:
        return NAMES[name], f"html:name={name}"
    style = attributes.get("style")
    if style and "border" in style:
        compact = _SPACES.sub("", style[:300].lower())
        if _RULED_BOX.search(compact) and _ITS_PADDING.search(compact):
            return Mark.REST, "html:ruled-box"
    return Mark.PLAIN, ""
