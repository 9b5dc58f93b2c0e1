"""A gateway to a provider's API: what is the same whoever the provider is. Needs httpx."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from ticketmail.adapters._http.apart import Parts, Sealed, taken_apart
from ticketmail.adapters._http.caller import Answer, Call, Caller, CallFailed
from ticketmail.adapters._http.server import ApiServer
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.rate_headers import allowance_of, retry_after_of
from ticketmail.domain.ports.sending import GatewayCapabilities, GatewayOptions, OnBody, Outgoing

#: Mails from this size on are made ready in a thread (bytes).
_LARGE: Final = 256 * 1024
_MAX_TEXT: Final = 2000
#: What is shorter is part of words, and nobody's key.
_SECRET: Final = 8
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Api(Protocol):
    """A provider's own: pure translations. ``name`` is for people."""

    name: str
    capabilities: GatewayCapabilities

    def mail(self, mail: Outgoing) -> Call:
        """The call that sends. Raises CannotBeSaid."""
        ...

    def remote_id(self, answer: Answer) -> str | None:
        """The id of the mail that an answer of 2xx is about, '' if it has none. None: this is not the provider's yes."""
        ...

    def words(self, answer: Answer) -> str:
        """What a refusal says, '' if it cannot be read."""
        ...

    def question(self) -> Call:
        """A call that shows whether the key is good, and sends nothing."""
        ...

    def answers(self, answer: Answer) -> bool:
        """Whether this is the answer to it, and no refusal."""
        ...

    def found(self, answer: Answer) -> str:
        """A sentence on the answer to it. Raises ValueError saying what is wrong."""
        ...


class CannotBeSaid(Exception):
    """The provider's API has no words for this mail. ``reply`` is what the provider would say, and says that it is ours."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def parts_of(mail: Outgoing, provider: str) -> Parts:
    """The mail for an API that takes no MIME. Raises CannotBeSaid."""
    try:
        return taken_apart(mail.mime)
    except Sealed as error:
        text = f"{provider}'s API takes a mail in parts only, and this one cannot be taken apart: {error}. Send it by SMTP"
        raise CannotBeSaid(Reply(400, f"{text} (found before sending)")) from None


class NoCredentials(Exception):
    """There is nothing to sign with; the text says what to do."""


class ApiUnusable(OSError):
    """``check()`` or ``allowance()`` failed; the text has the provider's words. ``failure`` is the fact, its code HTTP's."""

    http = True

    def __init__(self, text: str, failure: Outcome | None = None) -> None:
        super().__init__(text)
        self.failure = failure


#: Adds what proves who calls. May block: it is awaited. Raises NoCredentials.
Authorise = Callable[[Call], Awaitable[Call]]


class ApiGateway:
    """See :class:`ticketmail.domain.ports.sending.Gateway`. Belongs to one event loop; opens nothing before the first call.

    Every answer is a fact about the whole mail. ``secrets`` are never in a text; ``now_s``: UTC seconds, for what headers say
    of the provider's limits.
    """

    def __init__(
        self,
        api: Api,
        caller: Caller,
        authorise: Authorise,
        *,
        shown: str,
        secrets: Sequence[str] = (),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._caller = caller
        self._authorise = authorise
        self._shown = shown
        self._secrets = tuple(one for one in secrets if len(one) >= _SECRET)
        self._now_s = now_s

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    @property
    def capabilities(self) -> GatewayCapabilities:
        return self._api.capabilities

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        everybody = range(len(mail.recipients))
        try:
            call = await self._ready(mail)
            answer = await self._caller.call(await self._authorise(call), on_body=lambda: on_body(everybody))
        except CannotBeSaid as error:
            outcome: Outcome = Refused(error.reply, Phase.MAIL)
        except NoCredentials as error:
            outcome = Refused(Reply(401, f"{error} (found before sending)"), Phase.AUTH)
        except CallFailed as error:
            outcome = error.failure
        else:
            outcome = self._outcome(answer)
        return [outcome] * len(everybody)

    async def check(self) -> str:
        """Raises ApiUnusable."""
        answer = await self._asked(self._api.question())
        try:
            return f"{self._shown} answers. {self._api.found(answer)}"
        except ValueError as error:
            raise ApiUnusable(f"{self._shown}: {error}", Refused(Reply(403, str(error)), Phase.AUTH)) from None

    async def aclose(self) -> None:
        await self._caller.aclose()

    async def _asked(self, call: Call) -> Answer:
        """The answer to a question. Raises ApiUnusable if it is none."""
        try:
            answer = await self._caller.call(await self._authorise(call))
        except NoCredentials as error:
            raise ApiUnusable(str(error), Refused(Reply(401, str(error)), Phase.AUTH)) from None
        except CallFailed as error:
            failure = error.failure
            raise ApiUnusable(f"{self._shown}: {failure.error}", NotReached(failure.error, failure.phase)) from None
        if not self._api.answers(answer):
            reply = self._reply(answer)
            raise ApiUnusable(f"{self._shown} answers {reply}", Refused(reply, Phase.AUTH))
        return answer

    async def _ready(self, mail: Outgoing) -> Call:
        if len(mail.mime) < _LARGE:
            return self._api.mail(mail)
        return await asyncio.to_thread(self._api.mail, mail)

    def _outcome(self, answer: Answer) -> Outcome:
        now_s, reply = self._now_s(), self._reply(answer)
        said = allowance_of(answer.headers, now_s=now_s)
        if not 200 <= answer.status < 300:
            return Refused(reply, Phase.DOT, retry_after_of(answer.headers, now_s=now_s), said)
        remote_id = self._api.remote_id(answer)
        if remote_id is None:
            return Unclear(f"an answer that {self._api.name} does not give: {reply}")
        return Taken(remote_id, reply, said)

    def _reply(self, answer: Answer) -> Reply:
        text = self._api.words(answer) or answer.body.decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return Reply(answer.status, _CONTROLS.sub(" ", text)[:_MAX_TEXT].strip())


def keyed(api: Api, server: ApiServer, options: GatewayOptions, *, key: str, scheme: str) -> ApiGateway:
    """The gateway to a provider that takes its key as it is (``Authorization: Bearer``)."""

    async def authorise(call: Call) -> Call:
        return replace(call, headers=(*call.headers, ("Authorization", f"Bearer {key}")))

    return ApiGateway(api, Caller(server, options), authorise, shown=f"{scheme}://{server.host}", secrets=[key])
