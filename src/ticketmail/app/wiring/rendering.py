"""The MIME adapter, imported when a mail first needs it: a host that hands over structured messages never loads it."""

from __future__ import annotations

from collections.abc import Mapping

from ticketmail.domain.message import Message
from ticketmail.domain.ports.rendering import Renderer


class LazyRenderer:
    """The renderer of ``adapters.mime``. Thread-safe, as that is: making it twice does no harm."""

    def __init__(self) -> None:
        self._made: Renderer | None = None

    @property
    def _renderer(self) -> Renderer:
        if self._made is None:
            from ticketmail.adapters.mime import MimeRenderer

            self._made = MimeRenderer()
        return self._made

    def render(
        self, message: Message, *, headers: tuple[tuple[str, str], ...], contents: Mapping[str, bytes], seed: str
    ) -> bytes:
        """As the port says."""
        return self._renderer.render(message, headers=headers, contents=contents, seed=seed)

    def check_raw(self, raw: bytes) -> Message:
        """As the port says."""
        return self._renderer.check_raw(raw)
