"""Mail handed over by a mail server, by LMTP (RFC 2033) or SMTP: 250 once it is in the spool, 451 while that cannot be."""

from ticketmail.adapters.lmtp.receiver import Place, Take, listen

__all__ = ["Place", "Take", "listen"]
