"""Ways to administrators: the log, a webhook, and mail through an account of its own."""

from ticketmail.adapters.alerting.log import LogSink
from ticketmail.adapters.alerting.mail import MailSink
from ticketmail.adapters.alerting.webhook import WebhookSink

__all__ = ["LogSink", "MailSink", "WebhookSink"]
