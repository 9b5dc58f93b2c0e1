"""Mails as bytes: rendering, and checking ready ones. No extra needed."""

from ticketmail.adapters.mime.renderer import MimeRenderer

__all__ = ["MimeRenderer"]
