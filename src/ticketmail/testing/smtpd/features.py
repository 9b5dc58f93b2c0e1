"""What the local SMTP server offers."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the server offers in EHLO. ``users`` name -> password, ``tokens`` for XOAUTH2; with either, a login is demanded."""

    pipelining: bool = True
    size_limit_bytes: int | None = 36_700_160
    eight_bit: bool = True
    smtputf8: bool = True
    dsn: bool = True
    enhanced_codes: bool = True
    starttls: ssl.SSLContext | None = None
    implicit_tls: ssl.SSLContext | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: frozenset[str] | set[str] = field(default_factory=frozenset, repr=False)
    auth_methods: tuple[str, ...] = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")
    tls_before_auth: bool = False  #: offers and takes AUTH only over TLS
