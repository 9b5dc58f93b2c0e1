"""Mail addresses: parsed strictly and in linear time, compared simply.

The grammar is RFC 5321 section 4.1.2 with RFC 6531 (non-ASCII), and RFC 5322 section 3.4 for the display name, without comments,
groups, lists, folding and obsolete forms: what tolerant parsers read two ways (CVE-2023-27043) is not an address here.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Any, Final

from pydantic import ConfigDict, model_validator

from ticketmail.domain.errors import InvalidAddress
from ticketmail.domain.refusal import Value

MAX_LOCAL_BYTES: Final = 64  #: RFC 5321 section 4.5.3.1.1
MAX_DOMAIN_BYTES: Final = 255  #: RFC 5321 section 4.5.3.1.2
MAX_LABEL_BYTES: Final = 63  #: RFC 1035 section 2.3.4
MAX_NAME_BYTES: Final = 998
_MAX_TEXT: Final = 2048

_PLAIN: Final = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)"
    r"@([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)"
)
_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
#: RFC 5322 specials that an unquoted display name may not hold (a dot may: everybody writes ``John Q. Public``).
_NAME_SPECIALS: Final = frozenset('()<>[]:;@\\,"')
#: Control, format, surrogate, line and paragraph separators: nothing that people can see, or that could forge a header.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REMEDY: Final = "Write ann@example.net or Ann Example <ann@example.net>."


class Address(Value):
    """One mailbox, ``Ann Example <ann@example.net>``.

    ``name`` is the display name, already decoded ('' if none). ``local`` and ``domain`` are the two sides of the addr-spec
    (RFC 5321 section 4.1.2; non-ASCII allowed, RFC 6531). ``local`` keeps its case; ``domain`` is lower-cased.
    A plain ``str`` is accepted wherever an ``Address`` is. ``local`` is in the form of SMTP: quoted where it must be.
    """

    model_config = ConfigDict(frozen=True)

    name: str = ""
    local: str
    domain: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return parse_parts(value)
        if isinstance(value, dict):
            return _checked(value)
        return value

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
        if not self.name:
            return self.addr_spec
        return f"{_shown_name(self.name)} <{self.addr_spec}>"


def parse_address(text: str, *, field: str = "address") -> Address:
    """Read exactly one address.

    Raises:
        InvalidAddress: naming ``field``.
    """
    parts = parse_parts(text, field=field)
    return Address.model_construct(_fields_set={"name", "local", "domain"}, **parts)


def parse_parts(text: str, *, field: str = "address") -> dict[str, str]:
    """Split ``Name <local@domain>`` or ``local@domain`` into the fields of :class:`Address`.

    Encoded words (RFC 2047) in the name stay as they are: this is input, not a header.

    Raises:
        InvalidAddress: anything that is not exactly one address.
    """
    plain = _PLAIN.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if plain and len(plain[1]) <= MAX_LOCAL_BYTES and len(plain[2]) <= MAX_DOMAIN_BYTES and not plain[2][-1].isdigit():
        return {"name": "", "local": plain[1], "domain": plain[2].lower()}
    try:
        return _parse(text)
    except _NotOneError as error:
        several = text.count("@") > 1 and ("," in text or ";" in text)
        remedy = "Pass several addresses as a list." if several else _REMEDY
        raise InvalidAddress(f"{_quoted(text)} is not an address: {error}.", field=field, remedy=remedy) from None


def ascii_domain(domain: str) -> str:
    """``domain`` in ASCII (A-labels, RFC 5890), as ids and DNS need it."""
    return ".".join(_a_label(label) for label in domain.split("."))


class _NotOneError(Exception):
    """Why a text is not one address, as the rest of a sentence."""


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields given one by one (by code, or from JSON) pass the same rules as text."""
    checked = dict(fields)
    if isinstance(name := fields.get("name", ""), str):
        checked["name"] = _field("name", _display_name, name)
    if isinstance(local := fields.get("local"), str):
        checked["local"] = _field("local", _local, local)
    if isinstance(domain := fields.get("domain"), str):
        checked["domain"] = _field("domain", _domain, domain)
    return checked


def _field(name: str, rule: Any, value: str) -> str:
    try:
        return str(rule(value))
    except _NotOneError as error:
        raise InvalidAddress(
            f"{_quoted(value)} cannot be the {name} of an address: {error}.", field=name, remedy=_REMEDY
        ) from None


def _parse(text: str) -> dict[str, str]:
    if len(text) > _MAX_TEXT:
        raise _NotOneError("it is too long")
    text = text.strip(" \t")
    if not text:
        raise _NotOneError("it is empty")
    _refuse_unseen(text)
    if not text.endswith(">"):
        local, domain = _split(text)
        return {"name": "", "local": _local(local), "domain": _domain(domain)}
    name, at = _phrase(text)
    local, domain = _split(text[at + 1 : -1])
    return {"name": _display_name(name), "local": _local(local), "domain": _domain(domain)}


def _phrase(text: str) -> tuple[str, int]:
    """The display name in front of ``<``, and where that is (RFC 5322 section 3.2.5)."""
    words: list[str] = []
    at = 0
    while text[at] != "<":
        if text[at] == " ":
            at += 1
        elif text[at] == '"':
            word, at = _quoted_string(text, at)
            words.append(word)
        else:
            end = at
            while text[end] not in _NAME_SPECIALS and text[end] != " ":
                end += 1
            if end == at:
                raise _NotOneError(f"{text[at]!r} may stand in a name only within quotes")
            words.append(text[at:end])
            at = end
    return " ".join(words), at


def _quoted_string(text: str, start: int) -> tuple[str, int]:
    """The content of the quoted string at ``start``, and the place behind it."""
    content: list[str] = []
    at = start + 1
    while at < len(text):
        if text[at] == '"':
            return "".join(content), at + 1
        if text[at] == "\\":
            at += 1
        if at < len(text):
            content.append(text[at])
        at += 1
    raise _NotOneError("a quote is not closed")


def _split(spec: str) -> tuple[str, str]:
    """The two sides of an addr-spec."""
    if spec.startswith('"'):
        end = _quoted_string(spec, 0)[1]
        if spec[end : end + 1] != "@":
            raise _NotOneError("there is no @ behind the quoted part")
        return spec[:end], spec[end + 1 :]
    local, at, domain = spec.partition("@")
    if not at:
        raise _NotOneError("there is no @")
    return local, domain


def _local(local: str) -> str:
    _refuse_unseen(local)
    if local.startswith('"'):
        content, end = _quoted_string(local, 0)
        if end != len(local):
            raise _NotOneError("there is something behind the quoted part")
        local = content if _is_dot_atom(content) else _quote(content)
    elif not _is_dot_atom(local):
        raise _NotOneError(f"{_quoted(local)} cannot stand before the @ without quotes")
    if len(local.encode()) > MAX_LOCAL_BYTES:
        raise _NotOneError(f"more than {MAX_LOCAL_BYTES} bytes stand before the @")
    return local


def _is_dot_atom(local: str) -> bool:
    if not all(_ATOM.fullmatch(atom) for atom in local.split(".")):
        return False
    return local.isascii() or not any(unicodedata.category(char) == "Zs" for char in local)


def _quote(content: str) -> str:
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _domain(domain: str) -> str:
    _refuse_unseen(domain)
    if domain.startswith("["):
        return _literal(domain)
    domain = unicodedata.normalize("NFC", domain.lower())
    if unicodedata.normalize("NFKC", domain) != domain:
        raise _NotOneError("its domain has characters that no domain has")  # full-width letters and the like, RFC 5892
    labels = domain.split(".")
    for label in labels:
        _check_label(label)
    if labels[-1].isdigit():
        raise _NotOneError("its domain ends in a number; an IP address stands in brackets, as in [192.0.2.1]")
    if len(ascii_domain(domain)) > MAX_DOMAIN_BYTES:
        raise _NotOneError(f"its domain has more than {MAX_DOMAIN_BYTES} bytes")
    return domain


def _check_label(label: str) -> None:
    if not label:
        raise _NotOneError("its domain is empty, or has an empty part")
    if len(label) > MAX_LABEL_BYTES or len(_a_label(label)) > MAX_LABEL_BYTES:
        raise _NotOneError(f"a part of its domain has more than {MAX_LABEL_BYTES} bytes")
    plain = "".join(char if char.isascii() else "x" for char in label)
    strange = any(not char.isascii() and unicodedata.category(char)[0] not in "LMN" and char not in "·・" for char in label)
    if strange or not _LABEL.fullmatch(plain):
        raise _NotOneError(f"{_quoted(label)} cannot be part of a domain")


def _a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _literal(domain: str) -> str:
    """An address literal, RFC 5321 section 4.1.3."""
    inner = domain[1:-1].lower()
    six = inner.startswith("ipv6:")
    try:
        if not domain.endswith("]") or "%" in inner or not domain.isascii():
            raise ValueError
        ip = ipaddress.IPv6Address(inner[5:]) if six else ipaddress.IPv4Address(inner)
    except ValueError:
        raise _NotOneError(f"{_quoted(domain)} is not an IP address in brackets") from None
    return f"[ipv6:{ip}]" if six else f"[{ip}]"


def _display_name(name: str) -> str:
    _refuse_unseen(name)
    if len(name.encode()) > MAX_NAME_BYTES:
        raise _NotOneError(f"its name has more than {MAX_NAME_BYTES} bytes")
    return name.strip()


def _refuse_unseen(text: str) -> None:
    if text.isascii() and text.isprintable():
        return
    for char in text:
        if unicodedata.category(char) in _UNSEEN:
            raise _NotOneError(f"it holds U+{ord(char):04X}, a control or invisible character")


def _shown_name(name: str) -> str:
    words_only = name == " ".join(name.split(" ")) and not _NAME_SPECIALS & set(name) and "  " not in name
    return name if words_only else _quote(name)


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
