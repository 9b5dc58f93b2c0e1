"""TXT records of keys by dnspython. What is not there, and what could not be learned, are two things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import dns.exception
import dns.resolver

#: Gives the TXT records of a name, each joined, () if there are none. Raises Away. The second argument is seconds.
Records = Callable[[str, float], Sequence[bytes]]
_KEPT: Final = 1_000  #: answers, each for as long as its domain says
#: Errors that say nothing of the domain: nobody answered, or a name server is out of order.
_AWAY: Final = (dns.exception.Timeout, dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration, OSError)


class Away(Exception):
    """The DNS gave no answer. The text says why."""


class Resolver:
    """``Records`` from the machine's name servers, or from ``servers`` (``host:port``)."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = servers
        self._made: dns.resolver.Resolver | None = None

    def __call__(self, name: str, timeout_s: float) -> Sequence[bytes]:
        """See ``Records``."""
        try:
            answer = self._resolver().resolve(name, "TXT", lifetime=max(0.1, timeout_s), search=False)
        except _AWAY as error:
            raise Away(type(error).__name__) from error
        except (dns.exception.DNSException, UnicodeError, ValueError):
            return ()  # NXDOMAIN, no TXT there, no name at all
        return tuple(b"".join(one.strings) for one in answer)

    def _resolver(self) -> dns.resolver.Resolver:
        if self._made is None:
            self._made = dns.resolver.Resolver(configure=not self._servers)
            self._made.cache = dns.resolver.LRUCache(_KEPT)
            if self._servers:
                self._made.nameservers = [_nameserver(one) for one in self._servers]
        return self._made


def _nameserver(where: str) -> dns.nameserver.Nameserver:
    host, colon, port = where.rpartition(":")
    return dns.nameserver.Do53Nameserver(host, int(port)) if colon else dns.nameserver.Do53Nameserver(where, 53)
