"""systemd: tell the service manager how it goes, over ``$NOTIFY_SOCKET`` (sd_notify(3)), without its library.

Nothing here raises for what the socket does: a service does not stop because nobody could be told.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger("ticketmail.notify")


class Notifier:
    """Sends datagrams to the service manager. ``environ`` None: the process's own. Without a socket it does nothing.

    Thread-safe: each message is one datagram of its own socket.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        self._address = _address(given.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog_s(given)

    @property
    def wanted(self) -> bool:
        """True if somebody listens."""
        return self._address is not None

    @property
    def watchdog_s(self) -> float | None:
        """How often to call :meth:`alive`, in seconds: half of what the unit's ``WatchdogSec`` says. None: not asked for."""
        return self._watchdog_s if self.wanted else None

    def ready(self, status: str = "") -> bool:
        """``READY=1``: start-up is over. True if it was sent."""
        return self._send("READY=1", status)

    def stopping(self, status: str = "") -> bool:
        """``STOPPING=1``: the end has begun."""
        return self._send("STOPPING=1", status)

    def alive(self, status: str = "") -> bool:
        """``WATCHDOG=1``: it still works."""
        return self._send("WATCHDOG=1", status)

    def status(self, text: str) -> bool:
        """``STATUS=...``: what ``systemctl status`` shows."""
        return self._send("", text)

    def extend(self, seconds: float) -> bool:
        """``EXTEND_TIMEOUT_USEC``: start or stop takes so much longer."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}", "")

    def send(self, text: str) -> bool:
        """Assignments as they are, one a line: ``READY=1``, ``WATCHDOG=1\\nSTATUS=...``. True if they were sent."""
        if self._address is None:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode(), self._address)
        except OSError as error:
            _log.debug("the service manager was not told %s: %s", text, error)
            return False
        return True

    def _send(self, word: str, status: str) -> bool:
        # A line break would begin another assignment.
        lines = [word] * bool(word) + [f"STATUS={' '.join(status.split())}"] * bool(status)
        return self.send("\n".join(lines))


def notify(text: str) -> None:
    """Send assignments to the service manager of this process, if there is one. Never raises."""
    Notifier().send(text)


def _address(text: str) -> str | None:
    """The socket's address: a path, or an abstract name, which begins with ``@`` here and with NUL for the kernel."""
    if text.startswith("@") and len(text) > 1:
        return f"\0{text[1:]}"
    return text if text.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    text, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdigit() or int(text) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(text) / 2_000_000
