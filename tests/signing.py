"""Mails signed as domains sign them, the records of their keys, and a name server on loopback that has these."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence

import dkim
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import nacl.encoding
import nacl.signing
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HEADERS = (b"from", b"to", b"subject", b"message-id", b"content-type")


def rsa_pair(bits: int = 1024) -> tuple[bytes, bytes]:
    """A private key as dkimpy takes it, and the record of its public one. 1024 bits are the least that count."""
    key = rsa.generate_private_key(65537, bits)
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none), record_of(key.public_key())


def record_of(public: rsa.RSAPublicKey) -> bytes:
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


RSA, RSA_RECORD = rsa_pair()
_ED = nacl.signing.SigningKey(b"s" * 32)
ED = _ED.encode(nacl.encoding.Base64Encoder)
ED_RECORD = b"v=DKIM1; k=ed25519; p=" + _ED.verify_key.encode(nacl.encoding.Base64Encoder)


def signed(
    mail: bytes,
    *,
    domain: str = "example.net",
    selector: str = "s",
    key: bytes = RSA,
    algorithm: bytes = b"rsa-sha256",
    headers: Sequence[bytes] = HEADERS,
    canonicalize: tuple[bytes, bytes] = (b"relaxed", b"simple"),
    length: bool = False,
    identity: bytes | None = None,
) -> bytes:
    """``mail`` below a DKIM-Signature."""
    signer = dkim.DKIM(mail, signature_algorithm=algorithm)
    places = (selector.encode(), domain.encode(), key)
    return signer.sign(*places, identity=identity, include_headers=headers, canonicalize=canonicalize, length=length) + mail


def resigned(mail: bytes, more: bytes, key: bytes = RSA) -> bytes:
    """A signed mail with tags that dkimpy does not write (``; x=1``), signed as a whole."""
    head, _, rest = mail.partition(b"\r\nFrom:")
    bare = b"From:" + rest
    name, _, value = head.partition(b":")
    signer = dkim.DKIM(bare)
    tags = [tuple(one.strip().split(b"=", 1)) for one in b" ".join(value.split()).split(b";")]
    fields = [*(one for one in tags if one[0] not in (b"b", *(tag for tag, _ in _tags(more)))), *_tags(more), (b"b", b"0" * 60)]
    policy = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/simple")
    signer.hasher = dkim.HASH_ALGORITHMS[b"rsa-sha256"]
    names = [one.strip() for one in dict(tags)[b"h"].split(b":")]
    made = signer.gen_header(fields, names, policy, name, dkim.parse_pem_private_key(key))
    return name + b": " + made + bare


def _tags(text: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, _, value in (one.partition(b"=") for one in text.split(b";") if one)]


def sealed(mail: bytes, domain: str, said: str) -> bytes:
    """``mail`` as ``domain`` passes it on: with what it saw, and sealed."""
    passed = f"Authentication-Results: {domain}; {said}\r\n".encode() + mail
    made = dkim.ARC(passed).sign(b"a", domain.encode(), RSA, domain.encode(), include_headers=list(HEADERS))
    assert made
    return b"".join(made) + mail


@contextlib.contextmanager
def name_server(records: Mapping[str, bytes], *, refusing: bool = False, silent: bool = False) -> Iterator[str]:
    """``host:port`` of a name server that has TXT ``records``. ``refusing``: SERVFAIL for all; ``silent``: no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(server, records, refusing, silent), daemon=True)
        thread.start()
        host, port = server.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (host, port))
            thread.join()


def _serve(server: socket.socket, records: Mapping[str, bytes], refusing: bool, silent: bool) -> None:
    while True:
        asked, client = server.recvfrom(4096)
        if not asked:
            return
        if not silent:
            server.sendto(_answer(dns.message.from_wire(asked), records, refusing).to_wire(), client)


def _answer(asked: dns.message.Message, records: Mapping[str, bytes], refusing: bool) -> dns.message.Message:
    answer = dns.message.make_response(asked)
    name = asked.question[0].name
    text = records.get(name.to_text(omit_final_dot=True).lower())
    if refusing:
        answer.set_rcode(dns.rcode.SERVFAIL)
    elif text is None:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    else:
        parts = " ".join(f'"{text[at : at + 255].decode()}"' for at in range(0, len(text), 255))
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", parts))
    return answer
