"""From a source's bytes to one event for the host: stored first, then read, threaded and told, exactly once."""

from ticketmail.app.usecases.ingest.balancing import Balance, balance
from ticketmail.app.usecases.ingest.inbound import Inbound, source_of
from ticketmail.app.usecases.ingest.interpret import Interpret, Interpreted
from ticketmail.app.usecases.ingest.settle import Settle, Settled
from ticketmail.app.usecases.ingest.threading import Threading

__all__ = ["Balance", "Inbound", "Interpret", "Interpreted", "Settle", "Settled", "Threading", "balance", "source_of"]
