"""Foreign exceptions, translated in one table. A test proves that no error of aiosmtplib is missing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import aiosmtplib

from ticketmail.adapters.smtp.replies import refused, reply_of
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused

Failure = Refused | NotReached


class SessionFailed(Exception):
    """No session could be had. ``failure`` is the fact to report, for each recipient."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.reply) if isinstance(failure, Refused) else failure.error)
        self.failure = failure


class GatewayUnusable(OSError):
    """``check()`` failed; the text has the server's words. ``failure`` is the fact."""

    def __init__(self, failure: Refused | NotReached) -> None:
        super().__init__(str(SessionFailed(failure)))
        self.failure = failure


def _answered(error: Exception, phase: Phase) -> Failure:
    code, text = int(getattr(error, "code", 0)), str(getattr(error, "message", ""))
    if not 200 <= code <= 599:  # aiosmtplib's own -1: what came was not SMTP
        return NotReached(f"not an SMTP reply: {text[:100]!r}", phase)
    return refused(reply_of([f"{code} {line}" for line in text.split("\n")]), phase)


def _unreached(error: Exception, phase: Phase) -> Failure:
    cause = error.__cause__
    if isinstance(cause, (OSError, ValueError)):  # aiosmtplib wraps what asyncio and ssl said
        return translate(cause, phase)
    return NotReached(str(error) or type(error).__name__, phase)


def _distrusted(error: Exception, phase: Phase) -> Failure:
    said = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    text = f"TLS failed: {said}. Check the host name and ca_file; the mail is never sent in the clear instead."
    return NotReached(text, phase, tls=True)


def _timed_out(error: Exception, phase: Phase) -> Failure:
    return NotReached(f"no answer in time ({phase.value})", phase)


def _unresolved(error: Exception, phase: Phase) -> Failure:
    return NotReached(f"the host name cannot be resolved: {error.args[-1] if error.args else error}", phase)


#: The first entry whose class fits, from special to general.
TABLE: tuple[tuple[type[Exception], Callable[[Exception, Phase], Failure]], ...] = (
    (aiosmtplib.SMTPConnectTimeoutError, _timed_out),
    (aiosmtplib.SMTPReadTimeoutError, _timed_out),
    (aiosmtplib.SMTPTimeoutError, _timed_out),
    (aiosmtplib.SMTPConnectResponseError, _answered),
    (aiosmtplib.SMTPConnectError, _unreached),
    (aiosmtplib.SMTPServerDisconnected, _unreached),
    (aiosmtplib.SMTPHeloError, _answered),
    (aiosmtplib.SMTPAuthenticationError, _answered),
    (aiosmtplib.SMTPDataError, _answered),
    (aiosmtplib.SMTPSenderRefused, _answered),
    (aiosmtplib.SMTPRecipientRefused, _answered),
    (aiosmtplib.SMTPResponseException, _answered),
    (aiosmtplib.SMTPRecipientsRefused, _unreached),
    (aiosmtplib.SMTPNotSupported, _unreached),
    (aiosmtplib.SMTPException, _unreached),
    (ssl.SSLError, _distrusted),  # certificates too
    (TimeoutError, _timed_out),
    (socket.gaierror, _unresolved),
    (UnicodeError, _unresolved),  # a host name that IDNA cannot encode
    (OSError, _unreached),
    (ValueError, _unreached),
)


def translate(error: Exception, phase: Phase) -> Failure:
    """What a foreign exception in ``phase`` (never after the final dot) means. Classes not in the table are NotReached too."""
    for kind, meaning in TABLE:
        if isinstance(error, kind):
            return meaning(error, phase)
    return NotReached(f"{type(error).__name__} in {phase.value}", phase)
