"""``format=flowed`` (RFC 3676): lines that were broken for the way are put together again."""

from __future__ import annotations


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Text with its soft line breaks and stuffed blanks taken out. Quoted lines only join lines of the same depth. Linear."""
    paragraphs: list[str] = []
    pieces: list[str] = []
    open_depth = -1  #: quote depth of the paragraph that goes on, -1 if none does
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ") if line[depth : depth + 1] == " " else line[depth:]
        if pieces and depth != open_depth:
            paragraphs.append("".join(pieces))
            pieces = []
        if not pieces:
            pieces.append(">" * depth + " " if depth else "")
        soft = content.endswith(" ") and content != "-- "  # section 4.3: a signature's separator is never soft
        pieces.append(content[:-1] if soft and delete_space else content)
        open_depth = depth
        if not soft:
            paragraphs.append("".join(pieces))
            pieces, open_depth = [], -1
    if pieces:
        paragraphs.append("".join(pieces))
    return "\n".join(paragraphs)
