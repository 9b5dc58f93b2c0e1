"""A rule of classification: what a server says, and what it means. The rules are data in ``wording.py`` and ``codes.py``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.outcome import Phase


@dataclass(frozen=True)
class Rule:
    """All that is given must fit. Patterns are regular expressions: ``code`` and ``enhanced`` fit the whole (``4..``,
    ``5\\.7\\.2[0-4]``), ``text`` is searched without regard to case. ``profile`` '' fits every account. ``phases`` empty: any.

    ``pause_s`` is when to come back if the server does not say so itself. ``source`` says where the rule comes from.
    """

    cause: str
    scope: FaultScope
    advice: Advice
    code: str = ""
    enhanced: str = ""
    text: str = ""
    phases: frozenset[Phase] = frozenset()
    profile: str = ""
    suppress: bool = False
    alarm: bool = False
    pause_s: float | None = None
    source: str = ""

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        """Compiled: code, enhanced, text."""
        return re.compile(self.code or "..*"), re.compile(self.enhanced or ".*"), re.compile(self.text, re.IGNORECASE)

    def fits(self, *, code: str, enhanced: str, text: str, phase: Phase, profile: str) -> bool:
        """Whether the rule speaks of this reply."""
        codes, enhanceds, texts = self.patterns
        return (
            (not self.profile or self.profile == profile)
            and (not self.phases or phase in self.phases)
            and codes.fullmatch(code) is not None
            and enhanceds.fullmatch(enhanced) is not None
            and texts.search(text) is not None
        )
