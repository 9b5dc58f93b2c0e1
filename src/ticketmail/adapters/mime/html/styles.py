"""Inline styles and simple rules of style sheets: what they hide, and which of them may stay in a mail that is shown.

No CSS engine: what is not understood is visible, and does not stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

Declarations = dict[str, str]

#: Properties that may stay. None of them moves a thing out of its place or fetches one.
_PROPERTIES_WORDS: Final = """
    background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width border-
    collapse border-color border-left border-left-color border-left-style border-left-width border-right border-
    right-color border-right-style border-right-width border-spacing border-style border-top border-top-color
    border-top-style border-top-width border-width color direction font-family font-size font-style font-variant
    font-weight letter-spacing line-height list-style-type margin margin-bottom margin-left margin-right margin-
    top max-width padding padding-bottom padding-left padding-right padding-top text-align text-decoration text-
    indent text-transform vertical-align white-space width word-break word-spacing
"""
PROPERTIES: Final = frozenset(_PROPERTIES_WORDS.split())
#: Longest inline style that is read, and longest style sheet.
MAX_STYLE: Final = 4_000
MAX_SHEET: Final = 128 * 1024
MAX_RULES: Final = 2_000

_VALUE: Final = re.compile(r"(?:[\w\s#%.,'\"+-]|rgba?\([\d\s.,%/]{1,40}\)|hsla?\([\w\s.,%/]{1,40}\)){1,200}(?:!important)?$")
_NEGATIVE: Final = re.compile(r"(?:^|\s)-\s*\d")
_NUMBER: Final = re.compile(r"\s*(\d{0,6}(?:\.\d{0,4})?)\s*(px|pt|em|rem|%|cm|mm|in)?\s*(?:!important)?\s*$")
_RELATIVE: Final = re.compile(r"em|%|in|cm|mm")
#: Longest list of selectors that is read of a rule, and longest body.
MAX_SELECTORS: Final = 1_000
MAX_BODY: Final = 4_000
_MARKUP: Final = re.compile(r"<!--|-->")
_NAMED: Final = re.compile(r"[.#]?[A-Za-z_][\w-]{0,80}")
_SIMPLE: Final = re.compile(r"(?:[a-z][a-z0-9]{0,10})?([.#][\w-]{1,80})$", re.IGNORECASE)
_COLOURS: Final = {"white": (255, 255, 255), "black": (0, 0, 0), "#fff": (255, 255, 255), "transparent": None, "inherit": None}
_RGB: Final = re.compile(r"rgba?\(\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})")

Colour = tuple[int, int, int]


def declarations(style: str | None) -> Declarations:
    """An inline style as property -> value, both in lower case. Escapes make a style unreadable: none is returned."""
    if not style or "\\" in style:
        return {}
    found: Declarations = {}
    for one in style[:MAX_STYLE].split(";"):
        name, colon, value = one.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip().lower()
    if "background" in found and colour(found["background"]) is not None:
        found.setdefault("background-color", found["background"])
    return found


def hides(style: Declarations) -> str:
    """How a style hides what is in it, '' if it does not."""
    if not style:
        return ""
    if style.get("display", "").startswith("none"):
        return "display:none"
    if style.get("visibility", "").startswith(("hidden", "collapse")):
        return "visibility:hidden"
    if style.get("mso-hide", "").startswith("all") and len(style) > 1:
        return "mso-hide"
    if _size(style.get("opacity")) == 0:
        return "opacity:0"
    size = _size(style.get("font-size"))
    if size is not None and size <= (0 if _RELATIVE.search(style["font-size"]) else 1):
        return "font-size"
    return _clipped(style)


def _clipped(style: Declarations) -> str:
    """No room to be seen in, or out of sight."""
    overflow = style.get("overflow", "").startswith(("hidden", "clip"))
    if overflow and any(_size(style.get(name)) == 0 for name in ("max-height", "height", "max-width", "width")):
        return "no-size"
    away = any(_far(style.get(name, "")) for name in ("text-indent", "left", "top", "margin-left"))
    return "off-screen" if away else ""


def _far(value: str) -> bool:
    return value.startswith("-") and (_size(value[1:]) or 0) >= 400


def _size(value: str | None) -> float | None:
    """A number with its unit left off, None if it is none."""
    match = _NUMBER.match(value) if value else None
    return float(match[1]) if match and match[1] not in ("", ".") else None


def kept(style: Declarations) -> str:
    """The part of a style that may stay, as it is written out."""
    return ";".join(f"{name}:{value}" for name, value in style.items() if name in PROPERTIES and _is_harmless(name, value))


def _is_harmless(name: str, value: str) -> bool:
    if _VALUE.fullmatch(value) is None or "expression" in value:
        return False
    return not (name.startswith(("margin", "text-indent")) and _NEGATIVE.search(value))


def colour(value: str | None) -> Colour | None:
    """A colour of CSS or of an old attribute, None if it is not plain which."""
    if not value:
        return None
    text = value.strip().lower().removesuffix("!important").strip()
    if text in _COLOURS:
        return _COLOURS[text]
    if text.startswith("#") and len(text) in (4, 7):
        digits = text[1:] if len(text) == 7 else "".join(2 * one for one in text[1:])
        return _hex(digits)
    match = _RGB.match(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _hex(digits: str) -> Colour | None:
    try:
        number = int(digits, 16)
    except ValueError:
        return None
    return number >> 16, number >> 8 & 255, number & 255


def same(one: Colour | None, other: Colour | None) -> bool:
    """Whether eyes see no difference; unknown colours differ."""
    return one is not None and other is not None and max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 8


@dataclass(slots=True)
class Sheet:
    """What style sheets say by tag, class or id.

    ``hidden``: name -> how, only where a rule asks for nothing else. ``papers``: name -> background, None if it is not plain.
    ``inks``: names whose letters have a colour that we do not know.
    """

    hidden: dict[str, str] = field(default_factory=dict)
    papers: dict[str, Colour | None] = field(default_factory=dict)
    inks: set[str] = field(default_factory=set)

    def read(self, css: str) -> None:
        """Take the top rules of a sheet. Those of ``@media`` speak of other screens, and are left out."""
        for selectors, body in islice(_rules(_top_level(_without_comments(css[:MAX_SHEET]))), MAX_RULES):
            style = declarations(body)
            how = hides(style)
            if how:
                self.hidden.update({name: how for name in _alone(selectors)})
            elif "display" in style:
                for name in _alone(selectors):
                    self.hidden.pop(name, None)
            self._colours(selectors, style)

    def _colours(self, selectors: str, style: Declarations) -> None:
        """A rule may paint all that its selectors name; what it says for sure, it says of a selector that is one name."""
        paper = style.get("background-color") or style.get("background")
        names = [name.lower() for name in _NAMED.findall(selectors)] if paper or "color" in style else []
        if "color" in style:
            self.inks.update(names)
        if paper:
            plain = colour(paper) if len(names) == 1 else None
            self.papers.update({name: plain for name in names})

    def hides(self, attributes: Mapping[str, str | None]) -> str:
        """How the sheets hide an element, '' if they do not."""
        return next((self.hidden[name] for name in _names(attributes) if name in self.hidden), "") if self.hidden else ""

    def paper(self, tag: str, attributes: Mapping[str, str | None]) -> tuple[Colour | None] | None:
        """The background of an element by the sheets, None if they say nothing of it."""
        if not self.papers:
            return None
        return next(((self.papers[name],) for name in [*_names(attributes), tag] if name in self.papers), None)

    def ink(self, tag: str, attributes: Mapping[str, str | None], around: Colour | None) -> Colour | None:
        """The colour of its letters: unknown if a sheet may say it."""
        return None if self.inks and not self.inks.isdisjoint([*_names(attributes), tag]) else around


def _names(attributes: Mapping[str, str | None]) -> list[str]:
    names = [f".{one}" for one in (attributes.get("class") or "")[:400].lower().split()]
    return [*names, f"#{identity.lower()}"] if (identity := attributes.get("id")) else names


def _alone(selectors: str) -> list[str]:
    """The classes and ids among selectors that consist of nothing else (a tag name aside)."""
    found = [_SIMPLE.match(one.strip()) for one in selectors.split(",")[:50]]
    return [one[1].lower() for one in found if one]


def _without_comments(css: str) -> str:
    """One that never ends goes on to the end of the sheet (CSS Syntax Level 3, section 4.3.2)."""
    pieces: list[str] = []
    at = 0
    while (start := css.find("/*", at)) >= 0:
        pieces.append(css[at:start])
        end = css.find("*/", start + 2)
        at = end + 2 if end >= 0 else len(css)
    return _MARKUP.sub(" ", " ".join([*pieces, css[at:]]))


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Selectors and body of each rule. One look at each character, whatever braces a stranger writes."""
    for block in css.split("}")[:-1]:
        head, brace, body = block.rpartition("{")
        selectors = head.rpartition("{")[2][-MAX_SELECTORS:]
        if brace and selectors and len(body) <= MAX_BODY:
            yield selectors, body


def _top_level(css: str) -> str:
    """A sheet without its ``@`` blocks."""
    pieces: list[str] = []
    at = 0
    while (start := css.find("@", at)) >= 0:
        pieces.append(css[at:start])
        at = _block_end(css, start)
    return "".join([*pieces, css[at:]])


def _block_end(css: str, start: int) -> int:
    """Behind the block or the statement that begins at an ``@``."""
    depth = 0
    for match in re.compile(r"[{};]").finditer(css, start):
        sign = match[0]
        depth += (sign == "{") - (sign == "}")
        if (sign == ";" and depth == 0) or (sign == "}" and depth <= 0):
            return match.end()
    return len(css)
