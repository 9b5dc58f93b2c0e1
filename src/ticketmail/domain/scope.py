"""Scope: one grammar for pause, find, replay, cancel and metrics."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.errors import InvalidScope


class ScopeKind(StrEnum):
    """What a scope selects by."""

    ALL = "all"
    ID = "id"  #: one submission, by its id
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
        if kind not in set(ScopeKind) - {ScopeKind.ALL} or not value.strip():
            raise InvalidScope(
                f"{text!r} is not a scope.",
                field="scope",
                remedy="Use all, id:UUID, account:X, lane:X, tenant:X, ticket:X, to:ADDR, domain:X or cause:X.",
            )
        value = value.strip()
        return cls(kind=ScopeKind(kind), value=value.lower() if kind in ("to", "domain", "id") else value)

    def __str__(self) -> str:
        return self.kind.value if self.kind is ScopeKind.ALL else f"{self.kind.value}:{self.value}"
