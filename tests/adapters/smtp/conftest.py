"""The kit's server, and certificates that somebody signed."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from ticketmail.testing.smtpd import SmtpServer


@dataclass(frozen=True)
class Trust:
    """``server`` presents a certificate for localhost and 127.0.0.1; ``ca_file`` trusts who signed it."""

    server: ssl.SSLContext
    ca_file: str


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.configure_cert(context)
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return Trust(context, str(path))


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with SmtpServer() as running:
        yield running
