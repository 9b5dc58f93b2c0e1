"""SES as a gateway that can be asked for its quota."""

from __future__ import annotations

from ticketmail.adapters._http.gateway import ApiGateway, ApiUnusable
from ticketmail.adapters.ses.api import allowance_of
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.outcome import Refused


class SesGateway(ApiGateway):
    """See :class:`ticketmail.domain.ports.sending.TellsAllowance`. SES sends no headers on its limits: it is asked."""

    async def allowance(self) -> Allowance | None:
        """GetAccount. None also for a key that may not ask (``ses:GetAccount``). Raises ApiUnusable."""
        try:
            return allowance_of(await self._asked(self._api.question()))
        except ApiUnusable as error:
            if isinstance(error.failure, Refused) and error.failure.reply.code == 403:
                return None
            raise
