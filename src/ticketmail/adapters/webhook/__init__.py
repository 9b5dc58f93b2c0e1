"""Mail events as signed HTTP calls (standardwebhooks.com), for hosts that are not Python."""

from ticketmail.adapters.webhook.caller import TOGETHER, WebhookCaller, WebhookRefused

__all__ = ["TOGETHER", "WebhookCaller", "WebhookRefused"]
