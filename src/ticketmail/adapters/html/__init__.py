"""HTML of incoming mails: read in bounds, made safe, and folded. Needs the extra ``inbound`` (selectolax, nh3)."""

from __future__ import annotations

from ticketmail.adapters.html.content import content_of, content_of_html, content_of_text
from ticketmail.adapters.html.reading import HtmlReading, read

__all__ = ["HtmlReading", "content_of", "content_of_html", "content_of_text", "read"]
