"""Mail as its senders sign it, and the keys that they publish."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ticketmail.adapters.dkim.records import NoAnswer

LETTER = (
    b"From: Ann <ann@example.net>\r\nTo: help@example.com\r\nSubject: Re: Your printer\r\n"
    b"Message-ID: <a@example.net>\r\n\r\nThanks, it works.\r\n"
)


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return _rsa_key(bits)


@cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def private(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def record(key: rsa.RSAPrivateKey, more: bytes = b"") -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.DER, form)
    return b"v=DKIM1; k=rsa;" + more + b" p=" + base64.b64encode(public)


def signed(mail: bytes = LETTER, *, domain: str = "example.net", bits: int = 2048, **names: Any) -> bytes:
    """With the key ``s1`` of ``domain``."""
    names = {"canonicalize": (b"relaxed", b"relaxed"), **names}
    return dkim.sign(mail, b"s1", domain.encode(), private(rsa_key(bits)), **names) + mail


def signed_by_curve(mail: bytes = LETTER) -> tuple[bytes, bytes]:
    """The mail, and the key's record."""
    key = ed25519.Ed25519PrivateKey.generate()
    secret = base64.b64encode(key.private_bytes_raw())
    header = dkim.sign(mail, b"s1", b"example.net", secret, signature_algorithm=b"ed25519-sha256")
    return header + mail, b"v=DKIM1; k=ed25519; p=" + base64.b64encode(key.public_key().public_bytes_raw())


def sealed(mail: bytes, said: str, *, domain: str = "list.example.org") -> bytes:
    """As a list would pass it on: with what it found, and its seal."""
    server = domain.encode()
    found = b"Authentication-Results: " + server + b"; arc=none; " + said.encode() + b"\r\n" + mail
    sets = dkim.arc_sign(found, b"s1", server, private(rsa_key()), server)
    return b"".join(sets) + mail


class Names:
    """A DNS of our own; ``silent`` names do not answer."""

    def __init__(self, **records: bytes | None) -> None:
        default = record(rsa_key())
        self.records: dict[str, bytes | None] = {f"s1._domainkey.{one}.": default for one in ("example.net", "list.example.org")}
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, name: str, timeout: float) -> bytes | None:
        self.asked.append(name)
        if name in self.silent:
            raise NoAnswer(f"Timeout for {name}")
        return self.records.get(name)
