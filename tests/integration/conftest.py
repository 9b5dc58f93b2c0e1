"""Sites that send through servers of other makers (``scripts/services``)."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def postfix() -> str:
    """The port with a message rate limit, as a URL."""
    return _service("TICKETMAIL_TEST_POSTFIX")


@pytest.fixture
def greylisting_postfix() -> str:
    """The port that sends strangers away for a while, as a URL."""
    return _service("TICKETMAIL_TEST_POSTFIX_GREYLIST")


@pytest.fixture
def arrived(postfix: str) -> str:
    """The directory with what Postfix passed on, a file each."""
    return _service("TICKETMAIL_TEST_SMTP_SINK_ARRIVED")


def _service(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: `scripts/services run -- pytest ...` starts the servers")
    return value
