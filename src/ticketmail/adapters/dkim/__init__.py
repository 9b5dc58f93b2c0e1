"""Signatures of incoming mail, checked with dkimpy (extra ``dkim``)."""

from ticketmail.adapters.dkim.checking import SignatureChecker

__all__ = ["SignatureChecker"]
