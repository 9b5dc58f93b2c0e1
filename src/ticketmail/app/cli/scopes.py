"""Which mail a person means: a scope, or an id as ``find`` shows it."""

from __future__ import annotations

from uuid import UUID

from ticketmail.domain.scope import Scope


def scope_or_id(text: str) -> Scope:
    """A scope, or ``ID`` (a mail to all of its recipients), or ``ID/N`` (to one of them). Raises InvalidScope."""
    try:
        return by_id(text)
    except ValueError:
        return Scope.parse(text)


def by_id(text: str) -> Scope:
    """``ID`` or ``ID/N``. Raises ValueError: no UUID; InvalidScope: N is no number."""
    id_, slash, number = text.removeprefix("id:").partition("/")
    return Scope.parse(f"id:{UUID(id_)}{slash}{number}")
