"""Incoming mail: the reader of mails, loaded when the first one comes, and what the settings say of mailboxes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

from injector import Module, provider, singleton

from ticketmail.app.plugins import missing_extra
from ticketmail.app.settings import MailboxSettings, Settings
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.ingest import Inbound, Interpret, Settle, Threading
from ticketmail.app.wiring.pieces import HostPieces
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.inbound.policy import MailboxRules, Policy
from ticketmail.domain.inbound.reading import Reading
from ticketmail.domain.ports.accepting import Blobs, Directory
from ticketmail.domain.ports.receiving import Ledger, Reader, SignatureCheck
from ticketmail.domain.ports.spooling import SpoolAdapter
from ticketmail.domain.received import Signature


class LazyReader:
    """The caged reader of ``adapters.mime``."""

    def __init__(self) -> None:
        self._made: Reader | None = None
        self._making = threading.Lock()

    def read(self, raw: bytes) -> Reading:
        """As the port says."""
        with self._making:
            if self._made is None:
                from ticketmail.adapters.mime.cage import Cage

                self._made = Cage()
        return self._made.read(raw)

    def close(self) -> None:
        """As the port says."""
        made, self._made = self._made, None
        if made is not None:
            made.close()


class LazyCheck:
    """The checker of ``adapters.dkim``. Raises MissingExtra at the first use if it cannot be had."""

    def __init__(self) -> None:
        self._made: SignatureCheck | None = None
        self._making = threading.Lock()

    def __call__(self, raw: bytes, author: bytes) -> tuple[Signature, ...]:
        """As the port says."""
        with self._making:
            if self._made is None:
                self._made = self._make()
        return self._made(raw, author)

    def close(self) -> None:
        """As the port says."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    @staticmethod
    def _make() -> SignatureCheck:
        try:
            from ticketmail.adapters.dkim import Checker
        except ImportError as error:
            raise missing_extra(error, "check_signatures", name="mailboxes.*.check_signatures") from error
        return Checker()


def rules_of(settings: Settings) -> Mapping[str, MailboxRules]:
    """What each mailbox does with its mail."""
    return {
        name: MailboxRules(
            addresses=tuple(one.lower() for one in box.addresses),
            servers=box.trusted_servers,
            check_signatures=box.check_signatures,
            sealers=box.trusted_sealers,
            policy=_policy(box),
        )
        for name, box in settings.mailboxes.items()
    }


def _policy(box: MailboxSettings) -> Policy:
    return Policy(
        least=box.least,
        strangers=box.strangers,
        closed=box.closed,
        merged=box.merged,
        forwards=box.forwards,
        topic=box.topic,
        topic_after_s=box.topic_after,
        same_subject_s=box.same_subject,
        partners=frozenset(one.lower() for one in box.partners),
        unknown=box.unknown,
    )


class LiveRules(Mapping[str, MailboxRules]):
    """:func:`rules_of` the settings in force: a host may change its mailboxes while we run."""

    def __init__(self, live: Callable[[], Settings]) -> None:
        self._live = live
        self._kept: tuple[Settings | None, Mapping[str, MailboxRules]] = (None, {})

    def _now(self) -> Mapping[str, MailboxRules]:
        settings, kept = self._live(), self._kept
        if kept[0] is not settings:
            kept = self._kept = (settings, rules_of(settings))
        return kept[1]

    def __getitem__(self, name: str) -> MailboxRules:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


class ReceivingModule(Module):
    """What makes events of incoming mail."""

    @provider
    def ledger(self, spool: SpoolAdapter) -> Ledger:
        return spool.ledger

    @singleton
    @provider
    def reader(self) -> Reader:
        return LazyReader()

    @singleton
    @provider
    def check(self) -> SignatureCheck:
        return LazyCheck()

    @singleton
    @provider
    def threading(self, directory: Directory, ledger: Ledger, compiler: Compiler, host: HostPieces) -> Threading:
        return Threading(directory, ledger, compiler.keys, host.tickets)

    @singleton
    @provider
    def interpret(
        self,
        settings: Settings,
        host: HostPieces,
        reader: Reader,
        ledger: Ledger,
        threads: Threading,
        compiler: Compiler,
        check: SignatureCheck,
    ) -> Interpret:
        return Interpret(
            reader=reader,
            ledger=ledger,
            threading=threads,
            keys=compiler.keys,
            rules=LiveRules(host.live or (lambda: settings)),
            check=check,
        )

    @singleton
    @provider
    def settle(self, ledger: Ledger, interpret: Interpret, timing: Timing) -> Settle:
        return Settle(ledger=ledger, interpret=interpret, now_us=timing.clock.now_us)

    @singleton
    @provider
    def inbound(
        self, settings: Settings, host: HostPieces, ledger: Ledger, blobs: Blobs, settle: Settle, interpret: Interpret
    ) -> Inbound:
        live = host.live or (lambda: settings)
        return Inbound(
            ledger=ledger,
            blobs=blobs,
            settle=settle,
            interpret=interpret,
            tenants=lambda: {name: box.tenant for name, box in live().mailboxes.items()},
        )
