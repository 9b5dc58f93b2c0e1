"""POP3 mailboxes (RFC 1939): ``pop3s://user:password@host`` with TLS, ``pop3://`` with STLS (RFC 2595)."""

from ticketmail.adapters.pop3.mailbox import create

__all__ = ["create"]
