"""RTF out of winmail.dat: unpacked, and read as text or as the HTML that it was made of. Packed by another program."""

from __future__ import annotations

import base64
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.mime.reading import parse
from ticketmail.adapters.mime.reading.rtf import read, unpack

#: What compressed_rtf makes of RTF with a font of its own charset, and of RTF that Outlook made of HTML.
RTF_OF_WORDS = (
    "0gAAABgBAABMWkZ1T9EfCwMACgByY3BnMTI1PjIA9AH3AqQD4wIAY2jBCsBzZXQwIAcTAoPvAFAC8hAHAdA0EKYCkQjmlCA7CW8wAoBcdgiQpH"
    "drC4BkNAxgYwBQwwsDC7UgSGVsCQADMDonEBBiBJAKogogIEKrBvALMGIQkCAAcGQDMEB1ODM2ND8MYC0gMTAxNzkZMjg3kRJQPyBkAiBlLgqj"
    "MxEiFxFjZhchAUAnZRY4FPAaxCoMYG5rbrxvdwOgEGAFABBwfQGQFxGRAAAcE30ecA=="
)
RTF_OF_HTML = (
    "9wAAAL0BAABMWkZ13LBqcQMACgByY3BnMTI1gjIDQ2h0bWwxAzD7AQMB9yACpAPkBxMCgAKRkioJsGVuBJBhdAWyEw3gA2BzbwGAIEV43GNoAH"
    "ARkAZSdgSQAoKPEXAOsgGQDhA4IDwOsjI+E9o1MBSwBuBkeT8VEBQTACEDMAtgEyAxMDwzMwMwFpUV8BPpNjQdFLBwFmkAABfHSGVsqwkAGEo4"
    "GRFiGVtiF6mAV1wnZjZybAswpxaWFncYOzkyFLAvHAHBGxwmbmJzcAKAFoj8J2EBQBfHFoYKoh6/FEP/AcAgMRlBFToUoSBQFjMT6SwyNyAxFN"
    "R9KMA="
)


@pytest.mark.parametrize(
    ("packed", "text", "html"),
    [
        (RTF_OF_WORDS, "Hello über\nBold and €😀 done.\nПри\ntail{}\n", None),
        (RTF_OF_HTML, None, "<html><body><p>Hello <b>Wörld</b>&nbsp;</p></body></html>"),
    ],
    ids=["words", "html"],
)
def test_a_winmail_dat_with_nothing_but_rtf_is_read(packed: str, text: str | None, html: str | None) -> None:
    rtf = base64.b64decode(packed)
    properties = struct.pack("<IHHII", 1, 258, 0x1009, 1, len(rtf)) + rtf + b"\0" * (-len(rtf) % 4)
    wrapped = b"\x78\x9f\x3e\x22\0\0" + struct.pack("<BII", 1, 0x69003, len(properties)) + properties + b"\0\0"
    body = base64.b64encode(wrapped).decode()

    found = parse(
        f"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}".encode()
    )

    assert (found.text, found.html) == (text, html)


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_broken_rtf_ends_where_it_breaks(place: int) -> None:
    packed = bytearray(base64.b64decode(RTF_OF_HTML))
    whole = unpack(bytes(packed), limit=10_000)
    packed[16 + place] ^= 0xFF

    assert len(unpack(bytes(packed), limit=10_000)) <= len(whole)
    assert isinstance(read(unpack(bytes(packed[: 16 + place]), limit=10_000)).html, str)


@given(st.binary(max_size=300))
def test_any_bytes_are_rtf_or_none(content: bytes) -> None:
    read(b"{\\rtf1\\fromhtml1 " + content)
    unpack(struct.pack("<II4sI", 0, 4096, b"LZFu", 0) + content, limit=4096)


@pytest.mark.parametrize(
    "content", [b"{" * 500_000 + rb"\u65?" * 200_000, rb"\a " * 700_000, rb"\'41" * 500_000], ids=["groups", "words", "signs"]
)
def test_hostile_rtf_is_read_in_a_moment(content: bytes) -> None:
    began = time.process_time()
    read(rb"{\rtf1 " + content)
    assert time.process_time() - began < 5
