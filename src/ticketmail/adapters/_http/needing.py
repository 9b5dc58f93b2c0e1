"""What a vendor's adapter needs beside the base install. Needs no extra itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ticketmail.domain.errors import MissingExtra
from ticketmail.domain.ports.sending import GatewayOptions

_PACKAGES: Final = ("httpx", "botocore")


@contextmanager
def needing(extra: str, options: GatewayOptions) -> Iterator[None]:
    """Around imports. Raises MissingExtra naming ``extra``, which is the scheme too."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _PACKAGES:
            raise
        remedy = f"pip install 'ticketmail[{extra}]'"
        raise MissingExtra(f"{extra}:// needs {package}.", name=options.account, remedy=remedy) from error
