"""Acme Mail's API as a gateway: ``acme://:KEY@api.acme.example`` (``acme+http://`` for a test server)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Sequence
from urllib.parse import unquote, urlsplit

import httpx

from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.rate_headers import allowance_of, retry_after_of
from ticketmail.domain.ports.sending import GatewayCapabilities, GatewayOptions, OnBody, Outgoing

__all__ = ["AcmeGateway", "create"]

#: What Acme's statuses mean, in the codes of RFC 3463, which ticketmail knows best.
_ENHANCED = {400: "5.6.0", 413: "5.3.4"}


class AcmeGateway:
    """POST /mails takes base64 MIME and answers 202 with an id for the whole mail."""

    capabilities = GatewayCapabilities(per_recipient=False, idempotency_key=True, max_size_bytes=20_000_000)

    def __init__(self, url: str, options: GatewayOptions) -> None:
        parts = urlsplit(url)
        self._base = f"{'http' if parts.scheme.endswith('+http') else 'https'}://{parts.hostname}:{parts.port or 443}"
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {unquote(parts.password or '')}"},
            limits=httpx.Limits(max_connections=options.connections),
            timeout=httpx.Timeout(dict(options.timeouts_s).get("dot", 60.0), connect=10.0),
        )

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        """See the port. The body is streamed: ``on_body`` is awaited when the connection stands and asks for it."""
        began = False
        mime = base64.b64encode(mail.mime).decode()
        content = json.dumps({"from": mail.return_path, "to": list(mail.recipients), "mime": mime}).encode()

        async def body() -> AsyncIterator[bytes]:
            nonlocal began
            await on_body(range(len(mail.recipients)))
            began = True
            yield content

        headers = {"Idempotency-Key": mail.key, "Content-Type": "application/json", "Content-Length": str(len(content))}
        try:
            answer = await self._client.post(f"{self._base}/mails", content=body(), headers=headers)
        except httpx.RequestError as error:
            text = type(error).__name__
            return [Unclear(text) if began else NotReached(text, Phase.CONNECT)] * len(mail.recipients)
        return [_outcome(answer)] * len(mail.recipients)

    async def check(self) -> str:
        """Ask who we are."""
        try:
            answer = await self._client.get(f"{self._base}/me")
        except httpx.RequestError as error:
            raise OSError(f"Acme is not reached: {error}") from error
        if answer.is_error:
            raise OSError(f"Acme answers {answer.status_code}: {answer.text[:200]}")
        return f"Acme knows the key ({answer.status_code})."

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _outcome(answer: httpx.Response) -> Outcome:
    said = allowance_of(answer.headers, now_s=time.time())
    text = f"{answer.reason_phrase} {answer.text[:500]}"
    if answer.status_code == 202:
        return Taken(_id(answer), allowance=said)
    if answer.status_code >= 500:  # the whole mail had come: who knows what was done with it before the error
        return Unclear(f"{answer.status_code} {text}")
    phase = Phase.AUTH if answer.status_code in (401, 403) else Phase.DOT
    reply = Reply(answer.status_code, text, _ENHANCED.get(answer.status_code, ""))
    return Refused(reply, phase, retry_after_of(answer.headers, now_s=time.time()), said)


def _id(answer: httpx.Response) -> str:
    """Acme's id of the mail. It took the mail, whatever stands in the answer."""
    try:
        return str(answer.json()["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def create(url: str, options: GatewayOptions) -> AcmeGateway:
    """The entry point."""
    return AcmeGateway(url, options)
