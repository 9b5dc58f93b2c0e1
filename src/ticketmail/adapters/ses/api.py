"""What Amazon SES's API v2 takes and says. Pure. Source: the service model sesv2 of botocore 1.44."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final

from ticketmail.adapters._http.caller import Answer, Call
from ticketmail.adapters.mime.addresses import ascii_route
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.ports.sending import GatewayCapabilities, Outgoing

_MIB: Final = 1024 * 1024
_HOST: Final = re.compile(r"email(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
#: The quota counts the last 24 hours, so after these all of it is free again, if nothing was sent.
_DAY_S: Final = 86_400.0


class Ses:
    """See :class:`ticketmail.adapters._http.gateway.Api`. Takes the rendered mail; Message-ID and Date are replaced."""

    name = "Amazon SES"
    capabilities = GatewayCapabilities(
        per_recipient=False,
        keeps_message_id=False,
        max_size_bytes=40 * _MIB,
        max_recipients=50,
        http=True,
        tells_allowance=True,
    )

    def __init__(self, configuration_set: str = "") -> None:
        self._configuration_set = configuration_set

    def mail(self, mail: Outgoing) -> Call:
        """Without ``FromEmailAddress``, which would replace From. SES bounces to the feedback address."""
        body: dict[str, Any] = {
            "Destination": {"ToAddresses": [ascii_route(one) for one in mail.recipients]},
            "Content": {"Raw": {"Data": base64.b64encode(mail.mime).decode()}},
        }
        if mail.return_path:
            body["FeedbackForwardingEmailAddress"] = ascii_route(mail.return_path)
        if self._configuration_set:
            body["ConfigurationSetName"] = self._configuration_set
        headers = (("Content-Type", "application/json"),)
        return Call("POST", "/v2/email/outbound-emails", json.dumps(body, separators=(",", ":")).encode(), headers)

    def remote_id(self, answer: Answer) -> str | None:
        said = answer.json()
        found = said.get("MessageId") if isinstance(said, dict) else None
        return found if isinstance(found, str) else None

    def words(self, answer: Answer) -> str:
        """``ThrottlingException: Maximum sending rate exceeded.`` The type is in a header or in the body, with more around it."""
        said = answer.json()
        known = {str(name).lower(): value for name, value in said.items()} if isinstance(said, dict) else {}
        kind = answer.headers.get("x-amzn-errortype") or str(known.get("__type") or known.get("code") or "")
        kind = kind.partition(":")[0].rpartition("#")[2]
        # A signature that does not fit is answered with all that was signed, a session's token among it.
        message = str(known.get("message") or "").partition("The Canonical String")[0]
        return ": ".join(filter(None, (kind, message.strip())))

    def question(self) -> Call:
        return Call("GET", "/v2/email/account")

    def answers(self, answer: Answer) -> bool:
        return answer.status == 200

    def found(self, answer: Answer) -> str:
        """GetAccount, for people."""
        said = answer.json()
        if not isinstance(said, dict) or "SendQuota" not in said:
            raise ValueError("what answers there is not SES")
        if said.get("SendingEnabled") is False:
            raise ValueError("sending is paused for the account; resume it at AWS")
        quota = allowance_of(answer)
        left = f"{quota.remaining} of {quota.limit} recipients are left for 24 hours" if quota else "it has no daily quota"
        sandbox = "; the account is in the sandbox" if said.get("ProductionAccessEnabled") is False else ""
        return f"The key is good, {left}{sandbox}."


def allowance_of(answer: Answer) -> Allowance | None:
    """The daily quota of GetAccount (SendQuota: Max24HourSend, -1 for none; SentLast24Hours); None: it does not say."""
    said = answer.json()
    quota = said.get("SendQuota") if isinstance(said, dict) else None
    try:
        most, sent = int(quota["Max24HourSend"]), int(quota["SentLast24Hours"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return Allowance(max(0, most - sent), _DAY_S, most) if most >= 0 else None


def region_of(host: str, asked: str, account: str) -> str:
    """Raises SettingsError: neither the host nor ``region`` says."""
    match = _HOST.fullmatch(host)
    if asked or match:
        return asked or match[1]  # type: ignore[index]
    name = f"accounts.{account}.url" if account else "url"
    raise SettingsError("names no region.", name=name, remedy="Write ?region=eu-central-1 behind the host.")
