"""IMAP mailboxes (RFC 3501, RFC 9051): ``imaps://user:password@host`` with TLS, ``imap://`` with STARTTLS."""

from ticketmail.adapters.imap.mailbox import create

__all__ = ["create"]
