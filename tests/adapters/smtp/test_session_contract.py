"""What we rely on in aiosmtplib. If this fails after an upgrade, adapters/smtp/session.py is the one module to mend."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version

import aiosmtplib
import pytest

from ticketmail.testing.smtpd import Features, SmtpServer


def test_it_is_a_release_without_the_known_holes() -> None:
    """GHSA-v3q9-hj7j-63hq (command injection) and GHSA-vxj7-4xrp-5vr4 (STARTTLS) were closed by 5.1.2."""
    assert tuple(map(int, version("aiosmtplib").split(".")[:3])) >= (5, 1, 2)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (aiosmtplib.SMTP.__init__, {"hostname", "sock", "local_hostname", "use_tls", "start_tls", "tls_context", "timeout"}),
        (aiosmtplib.SMTP.connect, set()),
        (aiosmtplib.SMTP.ehlo, set()),
        (aiosmtplib.SMTP.helo, set()),
        (aiosmtplib.SMTP.starttls, {"tls_context"}),
        (aiosmtplib.SMTP.auth_plain, set()),
        (aiosmtplib.SMTP.auth_login, set()),
        (aiosmtplib.SMTP.auth_crammd5, set()),
        (aiosmtplib.SMTP.auth_xoauth2, set()),
        (aiosmtplib.SMTP.supports_extension, set()),
        (aiosmtplib.SMTP.get_transport_info, set()),
    ],
)
def test_its_client_has_what_session_py_calls(function: object, parameters: set[str]) -> None:
    assert parameters <= set(inspect.signature(function).parameters)


async def test_its_transport_can_be_taken_over_after_the_greeting() -> None:
    class Ours(asyncio.Protocol):
        def __init__(self) -> None:
            self.heard = asyncio.get_running_loop().create_future()

        def data_received(self, data: bytes) -> None:
            self.heard.set_result(data)

    async with SmtpServer(features=Features(users={"u": "p"})) as server:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, local_hostname="[127.0.0.1]", start_tls=False)
        await client.connect()
        await client.ehlo()
        assert "pipelining" in client.esmtp_extensions
        assert client.server_auth_methods == ["plain", "login", "cram-md5", "xoauth2"]
        transport = client.transport
        assert transport is not None
        ours = Ours()
        transport.set_protocol(ours)
        transport.write(b"NOOP\r\n")

        assert await asyncio.wait_for(ours.heard, 5) == b"250 2.0.0 Ok\r\n"
        transport.abort()
