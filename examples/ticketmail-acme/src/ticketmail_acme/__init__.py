"""Acme Mail as a gateway of ticketmail."""

from ticketmail_acme.gateway import AcmeGateway, create

__all__ = ["AcmeGateway", "create"]
