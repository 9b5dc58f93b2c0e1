"""HTML of incoming mails: read in bounds, made safe, and folded. Needs the extra ``inbound`` (selectolax, nh3)."""

from __future__ import annotations

from ticketmail.adapters.mime.html.body import body_of, body_of_html, body_of_text
from ticketmail.adapters.mime.html.reading import HtmlReading, read

__all__ = ["HtmlReading", "body_of", "body_of_html", "body_of_text", "read"]
