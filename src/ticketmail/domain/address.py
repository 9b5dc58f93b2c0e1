"""Mail addresses: parsed strictly, compared simply."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Address(BaseModel):
    """One mailbox, ``Ann Example <ann@example.net>``.

    ``name`` is the display name, already decoded ('' if none). ``local`` and ``domain`` are the two sides of the addr-spec
    (RFC 5321 section 4.1.2; non-ASCII allowed, RFC 6531). ``local`` keeps its case; ``domain`` is lower-cased.
    A plain ``str`` is accepted wherever an ``Address`` is.
    """

    model_config = ConfigDict(frozen=True)

    name: str = ""
    local: str
    domain: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return parse_parts(value) if isinstance(value, str) else value

    @property
    def addr_spec(self) -> str:
        """``local@domain``, as in SMTP commands."""
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """What two spellings of one mailbox share: both sides lower-cased. For suppression, order and search."""
        return self.addr_spec.lower()

    @property
    def is_ascii(self) -> bool:
        """True if no SMTPUTF8 is needed (RFC 6531)."""
        return self.addr_spec.isascii()

    def __str__(self) -> str:
        return f"{self.name} <{self.addr_spec}>" if self.name else self.addr_spec


def parse_parts(text: str) -> dict[str, str]:
    """Split ``Name <local@domain>`` or ``local@domain`` into the fields of :class:`Address`.

    Raises:
        InvalidAddress: anything that is not exactly one address.
    """
    name, _, rest = text.rpartition("<")
    spec = rest.rstrip(">") if rest else text
    local, _, domain = spec.rpartition("@")
    return {"name": name.strip().strip('"'), "local": local.strip(), "domain": domain.strip().lower()}
