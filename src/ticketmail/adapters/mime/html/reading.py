"""HTML of a mail, read in one walk: its lines with their marks, and a copy that is safe to show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ticketmail.adapters.mime.html.layout import Layout
from ticketmail.adapters.mime.html.safe import SafeWriter, cleaned
from ticketmail.adapters.mime.html.styles import Colour, Declarations, Sheet, colour, declarations, hides, same
from ticketmail.adapters.mime.html.taming import tame
from ticketmail.domain.inbound.content import Blocked, Link
from ticketmail.domain.inbound.html_marks import mark_of
from ticketmail.domain.inbound.lines import Line, Mark

#: Their content is no text of the mail: it is dropped whole.
_DROPPED_WORDS: Final = """
    script style head title meta base link template svg math object embed applet iframe frame frameset audio video
    canvas map datalist select option optgroup noembed noframes param source track
"""
DROPPED: Final = frozenset(_DROPPED_WORDS.split())
_WHITE: Final[Colour] = (255, 255, 255)


@dataclass(slots=True)
class Frame:
    """What holds within an element: inherited from the one around it, changed by its own tag and style."""

    tag: str
    mark: Mark = Mark.PLAIN
    origin: str = ""
    depth: int = 0
    hidden: str = ""
    ink: Colour | None = None  # only what is said: who paints the page black has white letters in mind
    paper: Colour | None = _WHITE
    lost: bool = False  # that paper does not stay in what is shown
    rest: str = ""


@dataclass(frozen=True, slots=True)
class HtmlReading:
    """What was read: ``lines`` for folding, ``safe`` HTML to show, and what was found on the way."""

    lines: tuple[Line, ...]
    safe: str
    links: tuple[Link, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    images: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()


def read(html: str, cids: Collection[str] = ()) -> HtmlReading:
    """Read HTML of any kind in bounded time; never raises for what is in it.

    ``cids`` are the Content-IDs of images in the same mail, without angle brackets: only those may be shown.
    """
    tamed = tame(html)
    parser = LexborHTMLParser(tamed.html)
    walk = _Walk(cids)
    walk.sheets(parser)
    root = parser.root
    if root is not None:
        walk.through(root)
    writer = walk.writer
    return HtmlReading(
        tuple(walk.layout.finished()),
        cleaned(writer.html()),
        tuple(writer.links),
        tuple(writer.blocked),
        tuple(writer.images),
        tamed.cut,
    )


class _Walk:
    """Depth first, without recursion; elements that are dropped are not entered."""

    def __init__(self, cids: Collection[str]) -> None:
        self.layout = Layout()
        self.writer = SafeWriter(cids)
        self._sheet = Sheet()

    def sheets(self, parser: LexborHTMLParser) -> None:
        """Read the style sheets first: they speak of elements that come before them too."""
        for node in parser.css("style")[:20]:
            self._sheet.read(node.text(deep=True) or "")

    def through(self, root: LexborNode) -> None:
        frames = [Frame("")]
        node: LexborNode | None = root
        while node is not None:
            below = self._visit(node, frames)
            node = below if below is not None else self._onward(node, frames)

    def _visit(self, node: LexborNode, frames: list[Frame]) -> LexborNode | None:
        """Take one node; the first one in it, if it is an element with content."""
        tag = node.tag or ""
        if tag == "-text":
            self._text(node.text_content or "", frames[-1])
            return None
        if tag in DROPPED or not tag[:1].isalpha():
            return None
        frames.append(self._enter(tag, node.attributes, frames[-1]))
        below = node.child
        if below is None:
            self._leave(frames.pop())
        return below

    def _onward(self, node: LexborNode | None, frames: list[Frame]) -> LexborNode | None:
        """The node after this one, leaving the elements that end before it."""
        while node is not None and len(frames) > 1:
            following = node.next
            if following is not None:
                return following
            self._leave(frames.pop())
            node = node.parent
        return None

    def _text(self, text: str, frame: Frame) -> None:
        if frame.hidden:
            self.layout.hidden(text, f"hidden:{frame.hidden}")
            return
        self.layout.text(text, frame.mark, frame.depth, frame.origin)
        self.writer.text(text)

    def _enter(self, tag: str, attributes: Mapping[str, str | None], around: Frame) -> Frame:
        style = declarations(attributes.get("style"))
        frame = Frame(tag, around.mark, around.origin, around.depth)
        frame.hidden = (
            around.hidden or hides(style) or self._sheet.hides(attributes) or ("attribute" if "hidden" in attributes else "")
        )
        self._colour(frame, around, style, attributes)
        if frame.hidden:
            return frame
        self._mark(frame, *mark_of(tag, attributes))
        if frame.lost:  # its background does not stay, and white letters would be lost with it
            style.pop("color", None)
            attributes = {name: value for name, value in attributes.items() if name != "color"}
        self.layout.enter(tag, attributes, style)
        self.writer.enter(tag, attributes, style)
        return frame

    def _mark(self, frame: Frame, mark: Mark, origin: str) -> None:
        """The strongest mark holds: what is within a quote stays a quote."""
        if mark is Mark.REST:
            self.layout.rest(origin)
        elif mark is not Mark.PLAIN and frame.mark is not Mark.QUOTE:
            frame.mark, frame.origin = mark, origin
        if frame.tag == "blockquote":
            frame.depth += 1

    def _colour(self, frame: Frame, around: Frame, style: Declarations, attributes: Mapping[str, str | None]) -> None:
        """White on white is hidden. A background that is not plain makes all unknown, and so visible."""
        frame.ink = self._sheet.ink(frame.tag, attributes, around.ink)
        frame.paper, frame.lost = around.paper, around.lost
        if (sheet := self._sheet.paper(frame.tag, attributes)) is not None:
            frame.paper, frame.lost = sheet[0], True
        ink = style.get("color") or attributes.get("color") or (attributes.get("text") if frame.tag == "body" else None)
        if ink:
            frame.ink = colour(ink)
        paper = style.get("background-color") or style.get("background") or attributes.get("bgcolor")
        if paper or "background" in attributes or "background-image" in style:
            frame.paper = colour(paper)
            frame.lost = frame.paper is None
        if (ink or paper) and not frame.hidden and same(frame.ink, frame.paper):
            frame.hidden = "same-colour"

    def _leave(self, frame: Frame) -> None:
        if not frame.hidden and frame.tag:
            self.layout.leave(frame.tag)
            self.writer.leave(frame.tag)
