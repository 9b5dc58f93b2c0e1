"""Foreign errors of brokers become ours by one table a technology. A test proves each table complete."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ticketmail.domain.errors import BrokerBlocked, BrokerError, BrokerUnreachable, TicketmailError

#: Foreign class -> what makes ours of it; the most special first.
Table = Sequence[tuple[type[Exception], Callable[[Exception], BrokerError]]]

_TLS: Final = (
    "A certificate of your own CA: `options = {ca_file = ...}` in [broker]; the URL must name the host as its certificate does. "
    "A server without TLS, for tests: amqp://, redis://."
)

#: What every network does. The last lines of each table.
NETWORK: Table = (
    (ssl.SSLError, lambda error: no_tls(error)),
    (TimeoutError, lambda error: BrokerUnreachable("The broker does not answer.")),
    (OSError, lambda error: BrokerUnreachable(f"The broker cannot be reached: {short(error)}.")),
)


def translate(table: Table, error: Exception) -> BrokerError | None:
    """Ours for a foreign error; None for one that no broker raises."""
    return next((make(error) for foreign, make in table if isinstance(error, foreign)), None)


@contextmanager
def translated(table: Table, connection: Any = None) -> Iterator[None]:
    """Raise ours for theirs. If the broker had told the connection of an alarm, that is the better reason."""
    try:
        yield
    except TicketmailError:
        raise
    except Exception as error:
        ours = translate(table, error)
        if ours is None:
            raise
        alarms = getattr(connection, "ticketmail_alarms", None)
        raise (BrokerBlocked(f"The broker takes nothing now: {alarms[-1]}.") if alarms else ours) from error


def no_tls(error: Exception) -> BrokerUnreachable:
    """The two sides have not agreed, or the other side's certificate proves nothing."""
    return BrokerUnreachable(f"There is no TLS with the broker: {short(error)}.", remedy=_TLS)


def short(error: Exception) -> str:
    """One line, at most 200 characters."""
    text = " ".join(str(getattr(error, "reply_text", "") or error).split())
    return text[:200].rstrip(".") or type(error).__name__
