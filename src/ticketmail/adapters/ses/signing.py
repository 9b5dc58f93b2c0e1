"""Requests signed as AWS asks (Signature Version 4), by botocore, with what the URL says or as AWS's own tools find it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from ticketmail.adapters._http.caller import Call
from ticketmail.adapters._http.gateway import NoCredentials

_SERVICE: Final = "ses"
_REMEDY: Final = "Set user and password to an access key's id and secret, or give the machine a role"


class Signer:
    """``key_id`` '': environment, ``~/.aws``, container or instance role, renewed before they end. Thread-safe."""

    def __init__(self, origin: str, region: str, key_id: str, secret: str) -> None:
        self._origin = origin
        self._region = region
        self._own = Credentials(key_id, secret) if key_id else None
        self._found: Any = None
        self._finding = threading.Lock()

    async def __call__(self, call: Call) -> Call:
        """``call`` with its signature, which AWS takes for 5 minutes. In a thread: a role is asked for over the network, and the
        body is hashed. Raises NoCredentials."""
        return await asyncio.to_thread(self._signed, call)

    def _signed(self, call: Call) -> Call:
        request = AWSRequest(call.method, self._origin + call.target, data=call.body, headers=dict(call.headers))
        try:
            SigV4Auth(self._credentials(), _SERVICE, self._region).add_auth(request)
        except BotoCoreError as error:
            raise NoCredentials(f"AWS credentials cannot be had ({type(error).__name__}). {_REMEDY}.") from None
        return replace(call, headers=tuple((name, str(value)) for name, value in request.headers.items()))

    def _credentials(self) -> Any:
        with self._finding:
            if self._own is None and self._found is None:
                self._found = get_session().get_credentials()
            found = self._own or self._found
        if found is None:
            raise NoCredentials(f"There are no AWS credentials. {_REMEDY}.")
        return found.get_frozen_credentials()
