"""Scope: one grammar for pause, find, replay, cancel and metrics."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.errors import InvalidScope

_DIGITS = 9  #: of a recipient's number


class ScopeKind(StrEnum):
    """What a scope selects by."""

    ALL = "all"
    ID = "id"  #: one submission, by its id; ``id:UUID/N`` is its recipient N alone
    ACCOUNT = "account"
    LANE = "lane"
    TENANT = "tenant"
    TICKET = "ticket"
    TO = "to"  #: one recipient address
    DOMAIN = "domain"  #: all recipients at one domain
    CAUSE = "cause"  #: the cause of the last fault, as ``dead list`` shows it


class Scope(BaseModel):
    """A set of deliveries, such as ``ticket:4711``. Parse with :meth:`parse`; ``str()`` gives the text back."""

    model_config = ConfigDict(frozen=True)

    kind: ScopeKind
    value: str = ""

    @classmethod
    def parse(cls, text: str | Scope) -> Scope:
        """Read a scope.

        Raises:
            InvalidScope: the text is not ``all`` or ``kind:value`` with a known kind.
        """
        if isinstance(text, Scope):
            return text
        kind, colon, value = text.strip().partition(":")
        if kind == ScopeKind.ALL and not colon:
            return cls(kind=ScopeKind.ALL)
        value = value.strip()
        number = value.partition("/")[2] if kind == ScopeKind.ID else ""
        known = kind in set(ScopeKind) - {ScopeKind.ALL} and value and not value.endswith("/")
        if not known or (number and not (number.isascii() and number.isdigit() and len(number) <= _DIGITS)):
            raise InvalidScope(
                f"{text!r} is not a scope.",
                field="scope",
                remedy="Use all, id:UUID[/N], account:X, lane:X, tenant:X, ticket:X, to:ADDR, domain:X or cause:X.",
            )
        return cls(kind=ScopeKind(kind), value=value.lower() if kind in ("to", "domain", "id") else value)

    @property
    def delivery(self) -> tuple[str, int | None]:
        """What an ``id:`` scope names: the submission's id without dashes, and a recipient's number (None: all of them)."""
        id_, _, number = self.value.partition("/")
        return id_.replace("-", ""), int(number) if number else None

    def __str__(self) -> str:
        return self.kind.value if self.kind is ScopeKind.ALL else f"{self.kind.value}:{self.value}"
