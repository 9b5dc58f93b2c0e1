"""DKIM and ARC signatures of incoming mail (extra ``dkim``)."""

from ticketmail.adapters.dkim.checker import Checker

__all__ = ["Checker"]
