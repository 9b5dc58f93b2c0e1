"""The balance sheet of a mailbox: every mail that the server has is in the ledger, and every one there came to something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ticketmail.domain.errors import MailboxError
from ticketmail.domain.ports.receiving import InboundState, Ledger, Mailbox

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Balance:
    """``on_server`` None: it cannot be asked (mail is only handed in, or ``trouble`` says why). ``missing`` are source keys that
    are not in the ledger."""

    mailbox: str
    on_server: int | None
    missing: tuple[str, ...]
    stored: int
    done: int
    duplicates: int
    dead: int
    trouble: str = ""

    @property
    def is_whole(self) -> bool:
        """Nothing is missing, and nothing waits for a human."""
        return not self.missing and not self.dead and not self.trouble

    @property
    def sentence(self) -> str:
        """For people."""
        total = self.stored + self.done + self.duplicates + self.dead
        ledger = (
            f"{total} in the ledger: {self.done} became events, {self.duplicates} were copies, {self.stored} wait, "
            f"{self.dead} are dead"
        )
        if self.trouble:
            return f"{self.mailbox}: the server cannot be asked: {self.trouble} {ledger[0].upper()}{ledger[1:]}."
        if self.on_server is None:
            return f"{self.mailbox}: {ledger}."
        lost = f"{len(self.missing)} of these are not in the ledger" if self.missing else "all of them in the ledger"
        return f"{self.mailbox}: {self.on_server} on the server, {lost}; {ledger}."


def balance(ledger: Ledger, name: str, tenant: str, source: Mailbox | None) -> Balance:
    """Compare. Raises SpoolError kin."""
    on_server, missing, trouble = None, [], ""
    if source is not None and source.capabilities.keeps:
        on_server = 0
        try:
            for part in _parts(source.census()):
                on_server += len(part)
                known = ledger.has(name, part, tenant=tenant)
                missing += [one for one in part if one not in known]
        except MailboxError as error:
            on_server, missing, trouble = None, [], str(error)
        finally:
            source.close()
    counts = ledger.counts(name)
    return Balance(
        mailbox=name,
        on_server=on_server,
        missing=tuple(missing),
        stored=counts.get(InboundState.STORED, 0),
        done=counts.get(InboundState.DONE, 0),
        duplicates=counts.get(InboundState.DUPLICATE, 0),
        dead=counts.get(InboundState.DEAD, 0),
        trouble=trouble,
    )


def _parts(keys: Iterator[str]) -> Iterator[list[str]]:
    while part := list(islice(keys, _CHUNK)):
        yield part
