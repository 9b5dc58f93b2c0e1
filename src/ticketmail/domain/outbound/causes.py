"""Causes: every stable code that a delivery's last word may have, with a sentence for support agents and a remedy.

``docs/reference/causes.md`` is generated from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ticketmail.domain.outbound.delivery import DeliveryState


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause.

    ``sentence`` says what happened, ``remedy`` what a person can do ('' if nothing needs doing). ``retry`` is the class of
    its schedule. ``spends``: a retry counts as an attempt (it only moves the schedule on). ``patience_s``: seconds after
    acceptance when retrying stops and the delivery ends as ``then`` (None: the deadline alone ends it). ``tries``: attempts
    after which it ends as ``then`` (None: no limit).
    """

    code: str
    sentence: str
    remedy: str = ""
    retry: str = "transient"
    spends: bool = True
    patience_s: float | None = None
    tries: int | None = None
    then: DeliveryState = DeliveryState.DEAD


_ALL: Final = (
    # limits of the account: the mail waits, nothing is spent
    Cause("limit-rate", "The account's own limit per time is used up for the moment."),
    Cause("limit-learned", "The mail server takes so many mails per time, as it taught by refusing more."),
    Cause("limit-told", "The provider has said how many mails it takes until when, and these have gone."),
    Cause("limit-tenant", "The tenant has used up what it may send by this account for the moment."),
    Cause("limit-quota", "The account's own daily or hourly limit is used up.", "Wait, or add an account to the route."),
    Cause("connections", "All connections that the account may have are in use."),
    Cause("throttled-rate", "The mail server wants fewer mails per time from this account.", "Nothing: the pace is lowered."),
    Cause("throttled-connections", "The mail server wants fewer connections from this account.", "Lower `connections`."),
    Cause(
        "quota", "The account has used up what it may send; mail waits for the reset.", "Wait, or add an account to the route."
    ),
    Cause("sender-mailbox-full", "The sending mailbox itself is full, so its server refuses to send.", "Empty its Sent folder."),
    # the account
    Cause("auth-failed", "The mail server does not accept the account's login.", "Correct user, password or token."),
    Cause("auth-temporary", "The mail server cannot check logins at the moment."),
    Cause("auth-throttled", "The mail server saw too many logins and makes us wait.", "Lower `connections`; reuse them longer."),
    Cause(
        "account-blocked", "The provider has blocked or restricted the account.", "Sign in at the provider and lift the block."
    ),
    Cause("account-setup", "The provider does not know what it was asked for.", "Check the account's URL and its rights."),
    Cause(
        "reputation",
        "The server refuses mail from our address on a block list or for its reputation; it is not the recipient's fault.",
        "Ask for delisting, check reverse DNS, or use another account.",
        retry="account",
    ),
    Cause(
        "sender-authentication",
        "SPF, DKIM or DMARC of our own domain does not pass at the other side.",
        "Repair the domain's DNS records or the signing.",
        retry="account",
    ),
    # the gateway
    Cause("gateway-unreachable", "The mail server could not be reached, or the connection broke before the mail was sent."),
    Cause("gateway-name", "The name of the mail server could not be resolved.", "Check the host in the account's URL, and DNS."),
    Cause("gateway-busy", "The mail server is busy or shutting down and asks to come back later."),
    Cause("gateway-full", "The mail server has no room to take mail."),
    Cause("gateway-refuses", "The mail server refuses us at the greeting.", "Ask its operator; check block lists."),
    Cause(
        "tls-failed",
        "The encrypted connection to the mail server failed; mail is never sent in the clear instead.",
        "Check the server's certificate, `ca_file` and the clock.",
    ),
    Cause(
        "connection-cut", "The connection broke while the mail was on its way; it certainly was not taken.", retry="connection"
    ),
    Cause(
        "connection-spent",
        "The mail server takes so many mails on one connection; the mail goes on another one.",
        "Set `messages_per_connection` to what it takes; else each worker finds out by one refusal.",
        retry="connection",
        spends=False,
    ),
    Cause("desync", "The mail server answered out of turn; the connection was dropped.", retry="connection"),
    # the recipient, for now
    Cause("transient", "The mail server could not take the mail just now."),
    Cause("greylisted", "The other side asks first-time senders to come again later.", retry="greylist"),
    Cause("recipient-busy", "This mailbox is receiving mail too quickly.", retry="recipient-busy", spends=False),
    Cause(
        "mailbox-full",
        "The recipient's mailbox is full.",
        "Reach the recipient another way.",
        retry="mailbox-full",
        then=DeliveryState.FAILED,
    ),
    Cause(
        "domain-not-found",
        "The recipient's domain is not found in DNS.",
        "Check the spelling behind the @.",
        retry="domain",
        patience_s=3600.0,
        then=DeliveryState.FAILED,
    ),
    Cause("too-many-recipients", "The server takes fewer recipients at once; the rest goes in a mail of its own.", retry="split"),
    # the recipient, for good
    Cause("unknown-recipient", "The address does not exist.", "Correct the address and replay."),
    Cause("unknown-domain", "The domain takes no mail.", "Correct the address and replay."),
    Cause("mailbox-disabled", "The mailbox is disabled or inactive.", "Reach the recipient another way."),
    Cause("bad-address", "The mail server finds the address malformed.", "Correct the address and replay."),
    Cause("moved", "The recipient has moved to another address.", "Ask the recipient for the new address."),
    Cause("recipient-refused", "The mail server refuses this recipient.", "Reach the recipient another way."),
    Cause("smtputf8-unsupported", "The way to the recipient cannot carry this international address.", "Use an ASCII address."),
    # the message, or who sends it
    Cause("too-large", "The mail is larger than the server takes.", "Replace attachments by links, then replay."),
    Cause("content-refused", "The server takes the content for spam, malware or against its policy.", "Change the content."),
    Cause("content-encoding", "The server cannot handle how the mail is encoded.", "Send it in another form; report it."),
    Cause("policy", "The server refuses by a policy that it does not explain.", "Ask its operator with the reply at hand."),
    Cause("sender-refused", "The account may not send for this From address.", "Correct the sender, or grant send-as rights."),
    Cause("relay-denied", "The mail server does not relay for us.", "Log in, or have this sender or network allowed there."),
    Cause("loop", "The mail goes round in circles between servers.", "Check forwardings; the recipient may forward to us."),
    Cause("protocol", "The mail server did not understand our commands.", "Report it with the reply.", retry="protocol", tries=2),
    Cause("request-refused", "The provider refuses the request as malformed.", "Read its answer, correct the mail, replay."),
    Cause(
        "unknown-refusal", "The server refused for good with words that no rule knows.", "Read its reply; replay if it is wrong."
    ),
    # uncertain
    Cause("unknown", "The mail was on its way and no final answer was read: it may have arrived."),
    Cause("duplicate-key", "The provider says that it has had this very mail before."),
    # ends that no server speaks of
    Cause("expired", "The deadline passed before the mail could be sent.", "Replay with a new deadline if it is still wanted."),
    Cause("suppressed", "The address is on our suppression list.", "`ticketmail suppressions` shows why; remove it there."),
    Cause("content-missing", "An attachment or text of the mail is gone or damaged, so it was not sent.", "Hand it over again."),
    Cause("undecided", "A fault of ours kept the answer from being understood.", "Read the worker's log, then settle it."),
    Cause("poison", "Workers died three times while this mail alone was in flight.", "Look at the mail; replay it by itself."),
)

CAUSES: Final = {cause.code: cause for cause in _ALL}


def cause_of(code: str) -> Cause:
    """The cause of that code; an unlisted one (a plugged-in rule's) is treated as transient."""
    return CAUSES.get(code) or Cause(code, code.replace("-", " ").capitalize() + ".")
