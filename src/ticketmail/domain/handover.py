"""What handing over needs of the domain, in one place."""

from ticketmail.domain.body import encode_body, fingerprint
from ticketmail.domain.checking import check

__all__ = ["check", "encode_body", "fingerprint"]
