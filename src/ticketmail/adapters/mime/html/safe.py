"""A copy of a mail's HTML that is safe to show: written anew from what is allowed, then cleaned by nh3 (a second parser).

Nothing remote, no script, no style sheet, no form, no SVG or MathML, no position, no names that a page could be confused by.
Attacks and sources: the list in the tests (bleach, Roundcube, Zammad, OTRS, FreeScout advisories).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from html import escape
from typing import Final, TypeVar

import nh3

from ticketmail.adapters.mime.html.styles import Declarations, kept
from ticketmail.domain.inbound.content import Blocked, Link

_TAGS_WORDS: Final = """
    a abbr b blockquote br caption center cite code col colgroup dd del details dfn div dl dt em font h1 h2 h3 h4
    h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub summary sup table tbody td tfoot
    th thead tr tt u ul var wbr
"""
TAGS: Final = frozenset(_TAGS_WORDS.split())
_VOID: Final = frozenset(("br", "col", "hr", "img", "wbr"))
#: Other elements are shown as one of these.
_AS: Final = {
    "center": "div",
    "listing": "pre",
    "xmp": "pre",
    "plaintext": "pre",
    "article": "div",
    "section": "div",
    "header": "div",
    "footer": "div",
}
#: Attribute -> what its value looks like.
_ATTRIBUTES: Final[Mapping[str, re.Pattern[str]]] = {
    "align": re.compile(r"left|right|center|justify|middle|top|bottom", re.IGNORECASE),
    "valign": re.compile(r"top|middle|bottom|baseline", re.IGNORECASE),
    "width": re.compile(r"\d{1,4}(?:px|%)?"),
    "height": re.compile(r"\d{1,4}(?:px|%)?"),
    "border": re.compile(r"\d{1,2}"),
    "cellpadding": re.compile(r"\d{1,2}"),
    "cellspacing": re.compile(r"\d{1,2}"),
    "colspan": re.compile(r"\d{1,3}"),
    "rowspan": re.compile(r"\d{1,3}"),
    "start": re.compile(r"\d{1,5}"),
    "bgcolor": re.compile(r"#?\w{3,20}"),
    "color": re.compile(r"#?\w{3,20}"),
    "size": re.compile(r"[+-]?\d{1,2}"),
    "face": re.compile(r"[\w ,'-]{1,100}"),
    "dir": re.compile(r"ltr|rtl|auto", re.IGNORECASE),
    "lang": re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}"),
    "alt": re.compile(r"[^\x00-\x1f]{0,300}"),
    "title": re.compile(r"[^\x00-\x1f]{0,300}"),
}
#: Elements within one another in what is written.
MAX_DEPTH: Final = 100
#: Characters of one text, if it has to be parted.
CHUNK: Final = 10_000
#: Links, blocked things and images that are listed, each.
MAX_LISTED: Final = 5_000
#: Characters of one address, and of all embedded images of one mail together.
MAX_URL: Final = 4_000
MAX_EMBEDDED: Final = 1024 * 1024

_BLANKS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_WEB: Final = re.compile(r"https?://[^\s<>\"'`\\^{|}]{1,4000}$", re.IGNORECASE)
_OTHER: Final = re.compile(r"(?:mailto|tel):[^\s<>\"'`\\^{|}]{1,1000}$", re.IGNORECASE)
_CID: Final = re.compile(r"cid:([\w.@+$%=!~&*/-]{1,250})$", re.IGNORECASE)
_EMBEDDED: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+$", re.IGNORECASE)
_REMOTE: Final = re.compile(r"^(?:https?:)?//", re.IGNORECASE)
_CSS_URL: Final = re.compile(r"url\(\s*['\"]?\s*((?:https?:)?//[^'\")\s]{1,1000})", re.IGNORECASE)


T = TypeVar("T")


class SafeWriter:
    """Writes allowed elements and all text; lists links, images, and what it blocked."""

    def __init__(self, cids: Collection[str]) -> None:
        self.links: list[Link] = []
        self.blocked: list[Blocked] = []
        self.images: list[str] = []
        self._cids = frozenset(cids)
        self._out: list[str] = []
        self._open: list[str] = []
        self._depth = 0
        self._embedded = 0
        self._begun = False
        self._link: str | None = None
        self._said: list[str] = []

    def html(self) -> str:
        """What was written."""
        return "".join(self._out)

    def text(self, text: str) -> None:
        """Text of the mail. Where one holds very many ``&``, it is parted: nh3 takes quadratic time on them."""
        if self._begun:  # parsers drop a first line break in it
            text = text.lstrip("\r\n")
        self._begun = False
        if len(text) > CHUNK and text.count("&") > CHUNK // 10:
            chunks = [escape(text[at : at + CHUNK], quote=False) for at in range(0, len(text), CHUNK)]
            self._out.append("<wbr>".join(chunks))
        else:
            self._out.append(escape(text, quote=False))
        if self._link is not None and len(self._said) < 50:
            self._said.append(text[:200])

    def enter(self, tag: str, attributes: Mapping[str, str | None], style: Declarations) -> None:
        """An element begins: :meth:`leave` follows, whatever it is."""
        name = _AS.get(tag, tag)
        self._remote_style(attributes, style)
        if tag == "body" and self._common(attributes, style):
            name = "div"  # its background, on which its letters are read
        if name not in TAGS or self._depth >= MAX_DEPTH:
            self._open.append("")
            return
        own = self._own(name, attributes)
        self._out.append(f"<{name}{own}{self._common(attributes, style)}>")
        self._begun = name == "pre"
        self._open.append("" if name in _VOID else name)
        self._depth += name not in _VOID

    def leave(self, tag: str) -> None:
        """The element ends."""
        name = self._open.pop()
        if not name:
            return
        self._depth -= 1
        self._out.append(f"</{name}>")
        if name == "a" and self._link is not None:
            _listed(self.links, Link(self._link, " ".join("".join(self._said).split())))
            self._link = None

    def _own(self, name: str, attributes: Mapping[str, str | None]) -> str:
        if name == "a":
            return self._target(attributes.get("href"))
        return self._picture(attributes) if name == "img" else ""

    def _common(self, attributes: Mapping[str, str | None], style: Declarations) -> str:
        pairs = [
            f' {name}="{escape(value)}"'
            for name, value in attributes.items()
            if value and (pattern := _ATTRIBUTES.get(name)) is not None and pattern.fullmatch(value)
        ]
        text = kept(style) if style else ""
        return "".join(pairs) + (f' style="{escape(text)}"' if text else "")

    def _target(self, href: str | None) -> str:
        """Where a link goes: the web, a mailbox, a telephone; else nowhere."""
        address = _BLANKS.sub("", href[:MAX_URL]) if href else ""
        if not address or address.startswith("#"):
            return ""
        if not (_WEB.match(address) or _OTHER.match(address)):
            self._block("link", address)
            return ""
        self._link, self._said = address, []
        return f' href="{escape(address)}"'

    def _picture(self, attributes: Mapping[str, str | None]) -> str:
        """An image of this mail, or a note of one that is elsewhere."""
        source = attributes.get("src") or attributes.get("data-remote-src") or ""
        if source[:5].lower() == "data:":
            return self._embed(source)
        address = _BLANKS.sub("", source[:MAX_URL])
        cid = _CID.match(address)
        if cid is not None and cid[1] in self._cids:
            _listed(self.images, cid[1])
            return f' src="cid:{escape(cid[1])}"'
        if address:
            self._block("cid" if cid else "remote-image" if _REMOTE.match(address) else "image", address)
        remote = f"https:{address}" if address.startswith("//") else address
        return f' data-remote-src="{escape(remote)}"' if _WEB.match(remote) else ""

    def _embed(self, source: str) -> str:
        """A picture within the HTML itself: pixels only, and not too many."""
        address = _BLANKS.sub("", source[: MAX_EMBEDDED + 1])
        if self._embedded + len(address) > MAX_EMBEDDED or _EMBEDDED.match(address) is None:
            self._block("data", address[:60])
            return ""
        self._embedded += len(address)
        return f' src="{escape(address)}"'

    def _remote_style(self, attributes: Mapping[str, str | None], style: Declarations) -> None:
        """List what a background would have fetched."""
        address = attributes.get("background")
        if address and _REMOTE.match(address.strip()):
            self._block("remote-style", address.strip())
        for value in style.values():
            if "url(" in value:
                for one in _CSS_URL.findall(value)[:5]:
                    self._block("remote-style", one)

    def _block(self, what: str, value: str) -> None:
        _listed(self.blocked, Blocked(what, value[:500]))


def _listed(known: list[T], one: T) -> None:
    if len(known) < MAX_LISTED:
        known.append(one)


def _filtered(tag: str, name: str, value: str) -> str | None:
    """The second guard: links go nowhere but where they may, whatever the first one wrote."""
    if name == "href":
        return value if _WEB.match(value) or _OTHER.match(value) else None
    if name == "src":
        return value if _CID.match(value) or _EMBEDDED.match(value) else None
    if name == "data-remote-src":
        return value if _WEB.match(value) else None
    return value


_CLEANER: Final = nh3.Cleaner(
    tags=set(TAGS),
    attributes={
        "*": {"align", "dir", "lang", "style", "title", "valign", "width", "height", "bgcolor", "border"},
        "a": {"href"},
        "img": {"src", "alt", "data-remote-src"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
        "table": {"cellpadding", "cellspacing"},
        "ol": {"start"},
        "font": {"color", "face", "size"},
    },
    url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
    attribute_filter=_filtered,
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def cleaned(html: str) -> str:
    """HTML that the writer wrote, parsed again and cleaned."""
    safe: str = _CLEANER.clean(html)
    return safe.lstrip()
