"""Making bytes of a message, and checking bytes that are to be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ticketmail.domain.message import Message


class Renderer(Protocol):
    """Pure: the same input gives the same bytes, so that a retry is the same mail. Thread-safe."""

    def render(
        self, message: Message, *, headers: tuple[tuple[str, str], ...], contents: Mapping[str, bytes], seed: str
    ) -> bytes:
        """The mail as bytes, CRLF line ends, no Bcc. ``headers`` (ours: Date, Message-ID, ...) go in front. ``contents`` has the
        bytes of attachments that have none in them, by blob hash or reference. ``seed`` fixes the MIME boundaries.
        A message with ``raw`` is not re-serialised: our headers go in front, bare line ends become CRLF.

        Raises:
            InvalidSubmission kin: what cannot be rendered safely.
        """
        ...

    def check_raw(self, raw: bytes) -> Message:
        """Check ready MIME bytes, and return what their header says (sender, to, cc, subject, message_id, references) as a
        message with ``raw`` set. Raises InvalidSubmission kin naming the header."""
        ...
