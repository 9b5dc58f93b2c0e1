"""Attachments are read at submit, within a limit."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ticketmail.app.attachments import attach
from ticketmail.domain.errors import InvalidMessage, TooLarge


class Trickle(io.RawIOBase):
    """A raw stream that gives a byte at a time, as sockets may."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, 1))


def test_bytes_a_path_and_a_stream_give_the_same_attachment(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF")

    with path.open("rb") as stream:
        found = [attach(b"%PDF", filename="report.pdf"), attach(path), attach(str(path)), attach(stream)]

    assert len(set(found)) == 1
    assert (found[0].filename, found[0].content_type, found[0].content, found[0].size_bytes) == (
        "report.pdf",
        "application/pdf",
        b"%PDF",
        4,
    )


def test_a_stream_that_gives_little_at_a_time_is_read_to_its_end() -> None:
    assert attach(Trickle(b"abcdef"), filename="x").content == b"abcdef"


def test_a_name_and_type_given_win_over_those_found(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"")

    found = attach(tmp_path / "x.txt", filename="y.bin", content_type="text/csv", content_id="logo")

    assert (found.filename, found.content_type, found.content_id) == ("y.bin", "text/csv", "logo")


def test_an_unknown_ending_is_plain_bytes() -> None:
    assert attach(b"", filename="x.nothing").content_type == "application/octet-stream"


@pytest.mark.parametrize("source", [b"12345", io.BytesIO(b"12345"), Trickle(b"12345")])
def test_more_than_the_limit_is_refused_by_name(source: bytes) -> None:
    with pytest.raises(TooLarge, match=r"big\.bin: more than 4 bytes"):
        attach(source, filename="big.bin", max_bytes=4)


def test_what_just_fits_is_taken() -> None:
    assert attach(io.BytesIO(b"1234"), filename="x", max_bytes=4).size_bytes == 4


def test_what_cannot_be_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InvalidMessage, match="Pass filename"):
        attach(b"x")
    with pytest.raises(InvalidMessage, match="No such file"):
        attach(tmp_path / "nowhere.pdf")
    with pytest.raises(InvalidMessage, match="mode 'rb'"):
        attach(io.StringIO("text"), filename="x")  # type: ignore[arg-type]
