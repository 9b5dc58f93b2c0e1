"""``Mailbox`` over IMAP, so that no crash loses a mail: stored first, then marked, then the cursor moves.

A mail that was stored and not marked comes again, and the ledger knows it by folder, UIDVALIDITY and UID (RFC 3501 section
2.3.1.1). Nothing relies on \\Seen, which people set, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from ticketmail.adapters.imap.errors import said, translated
from ticketmail.adapters.imap.session import Target, connect, cut, release, target_of
from ticketmail.domain.errors import MailboxFolderError, MailboxFolderRefused, SettingsError
from ticketmail.domain.ports.receiving import Inbox, Letter, Mailbox, MailboxCapabilities, MailboxOptions

KEYWORD: Final = "$Ticketmail"
#: Mails between two marks: so many may come again after a crash.
BATCH: Final = 50
#: All of the last days is compared with the ledger this often (seconds): mail that was moved in, or marked by nobody.
SWEEP_S: Final = 3_600.0
#: A mail that cannot be fetched so often is told as one without content, and blocks the others no longer.
MOST_TRIES: Final = 3
#: So many folders are named where one was not found.
_NAMED: Final = 12
_GMAIL_TWICE: Final = frozenset({"[gmail]/all mail", "[gmail]/important", "[google mail]/all mail"})
_log = logging.getLogger("ticketmail.imap")


class ImapMailbox:
    """See the module."""

    def __init__(self, target: Target, options: MailboxOptions) -> None:
        self._target = target
        self._options = options
        self._client: IMAPClient | None = None
        self._swept_s: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._idles = True
        self._uid_next: int | None = None  # of the watched folder, when its new mail was last looked for

    @property
    def capabilities(self) -> MailboxCapabilities:
        return MailboxCapabilities(watches=self._idles, keeps=self._options.read_only or not self._options.processed)

    def poll(self, inbox: Inbox) -> int:
        came, trouble = 0, None
        for name in self._options.folders:
            try:
                folder = _Folder(self._connected(), name, self._target, self._options)
            except MailboxFolderError as error:
                trouble = trouble or error
                continue
            if name == self._options.folders[0]:
                self._uid_next = folder.uid_next
            came += folder.read(inbox, self)
            trouble = trouble or folder.trouble
        if trouble is not None:
            trouble.came = came
            raise trouble
        return came

    def wait(self, timeout_s: float) -> bool:
        client = self._connected()
        if not self._idles:
            return False
        with translated(f"{self._target.host} did not announce new mail"):
            found = _selected(client, self._options.folders[0], self._options)
            if self._uid_next is not None and int(found.get(b"UIDNEXT", 0)) > self._uid_next:
                return True  # it came after the last look, and will not be announced
            return self._idle(client, min(timeout_s, self._options.idle_s))

    def census(self) -> Iterator[str]:
        client = self._connected()
        for name in self._options.folders:
            folder = _Folder(client, name, self._target, self._options)
            yield from (folder.key(uid) for uid in folder.since(self._options.history_s))

    def abort(self) -> None:
        client = self._client
        if client is not None:
            cut(client)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.logout()
            release(client)

    def sweeps(self, folder: str) -> bool:
        """Whether it is time to look at all that came lately; notes that it was done."""
        now_s = time.monotonic()
        if now_s - self._swept_s.get(folder, -SWEEP_S) < SWEEP_S:
            return False
        self._swept_s[folder] = now_s
        return True

    def tried(self, key: str) -> int:
        """How often a mail could not be fetched, with this time."""
        self._tries[key] = self._tries.get(key, 0) + 1
        return self._tries[key]

    def _connected(self) -> IMAPClient:
        if self._client is None:
            self._client = connect(self._target, self._options)
            self._idles = self._client.has_capability("IDLE")
            self._swept_s.clear()
        return self._client

    def _idle(self, client: IMAPClient, timeout_s: float) -> bool:
        """A server's word of life is no news. Nothing at all is the end of the time or of the connection; DONE tells which."""
        until_s = time.monotonic() + timeout_s
        client.idle()
        came = False
        while not came and (left_s := until_s - time.monotonic()) > 0:
            said = client.idle_check(timeout=left_s)
            if not said:
                break
            came = any(len(one) > 1 and one[1] in (b"EXISTS", b"RECENT") for one in said)
        client.idle_done()
        return came


class _Folder:
    """A folder that was selected. Raises MailboxError kin."""

    def __init__(self, client: IMAPClient, name: str, target: Target, options: MailboxOptions) -> None:
        self._client = client
        self._name = name
        self._options = options
        self.trouble: MailboxFolderError | None = None  #: what is safe could not be marked
        with translated(f"The folder {name!r} cannot be opened"):
            found = _selected(client, name, options)
        # Some servers give each folder the same UIDVALIDITY: a mailbox that moves to another server begins anew.
        self._validity = f"{int(found[b'UIDVALIDITY'])}-{target.digest}"
        self.uid_next = int(found.get(b"UIDNEXT", 0))
        flags = found.get(b"PERMANENTFLAGS", ())
        self._keeps_keywords = b"\\*" in flags or KEYWORD.encode() in flags

    def key(self, uid: int) -> str:
        """The source key of a mail."""
        name = self._name if len(self._name) <= 200 else hashlib.sha256(self._name.encode()).hexdigest()
        return f"{name};{self._validity};{uid}"

    def read(self, inbox: Inbox, mailbox: ImapMailbox) -> int:
        """Hand over what is new; how many."""
        came = 0
        uids = self._new(inbox, mailbox)
        for at in range(0, len(uids), BATCH):
            came += self._batch(inbox, mailbox, uids[at : at + BATCH])
        return came

    def since(self, seconds: float) -> list[int]:
        """UIDs of the last days. The server's days may begin earlier than ours."""
        first = datetime.now(UTC).date() - timedelta(days=int(seconds / 86_400) + 1)
        return self._search(["SINCE", first])

    def _new(self, inbox: Inbox, mailbox: ImapMailbox) -> list[int]:
        """UIDs to look at: above the cursor, and now and then all that came lately."""
        validity, _, last = inbox.cursor(self._name).partition(":")
        known = validity == self._validity
        if validity and not known:
            _log.warning("folder %s has new UIDs (%s, was %s): all of it is compared", self._name, self._validity, validity)
        if not known or mailbox.sweeps(self._name):
            uids = self.since(self._options.history_s)
            mailbox.sweeps(self._name)
            return sorted({*uids, *(self._above(int(last)) if known else ())})
        return self._above(int(last))

    def _above(self, last: int) -> list[int]:
        # ``n:*`` holds the last mail even if its UID is below n (RFC 3501 section 6.4.8).
        return sorted(uid for uid in self._search(["UID", f"{last + 1}:*"]) if uid > last)

    def _search(self, criteria: list[str | date]) -> list[int]:
        with translated(f"The folder {self._name!r} cannot be searched"):
            return [int(uid) for uid in self._client.search(criteria)]

    def _batch(self, inbox: Inbox, mailbox: ImapMailbox, uids: Sequence[int]) -> int:
        stored = inbox.has([self.key(uid) for uid in uids])
        facts = self._facts([uid for uid in uids if self.key(uid) not in stored])
        safe = [uid for uid in uids if self.key(uid) in stored]
        for uid, fact in facts.items():
            letter = self._letter(mailbox, uid, fact)
            if letter is not None:
                inbox.store([letter])
                safe.append(uid)
        if self._marked(safe):
            self._advance(inbox, uids, {*safe} | ({*uids} - {*facts}))
        return len([uid for uid in safe if uid in facts])

    def _facts(self, uids: Sequence[int]) -> dict[int, dict[bytes, Any]]:
        """Size and time of each; what is gone meanwhile is left out."""
        if not uids:
            return {}
        with translated(f"The folder {self._name!r} cannot be read"):
            found: dict[int, dict[bytes, Any]] = self._client.fetch(list(uids), ["RFC822.SIZE", "INTERNALDATE"])
        return {uid: found[uid] for uid in uids if uid in found}

    def _letter(self, mailbox: ImapMailbox, uid: int, fact: dict[bytes, Any]) -> Letter | None:
        """None: it cannot be fetched now, and comes again."""
        key, size = self.key(uid), int(fact.get(b"RFC822.SIZE", 0))
        received: datetime | None = fact.get(b"INTERNALDATE")
        received_us = int(received.timestamp() * 1_000_000) if received is not None else None
        too_large = size > self._options.max_size_bytes
        part = "BODY.PEEK[HEADER]" if too_large else "BODY.PEEK[]"
        with translated(f"A mail in {self._name!r} cannot be fetched"):
            try:
                found = self._client.fetch([uid], [part]).get(uid, {})
            except IMAPClientAbortError:
                if mailbox.tried(key) < MOST_TRIES:
                    raise
                return Letter(key, b"", received_us, "The connection broke each time it was fetched.")
            except IMAPClientError as error:
                _log.warning("mail %s cannot be fetched: %s", key, error)
                gone = mailbox.tried(key) >= MOST_TRIES
                return Letter(key, b"", received_us, f"The server does not give it: {error}"[:300]) if gone else None
        content: bytes | None = found.get(part.replace(".PEEK", "").encode())
        if content is None:
            return None
        return Letter(key, _noted(content, size, self._name) if too_large else content, received_us)

    def _marked(self, uids: Sequence[int]) -> bool:
        """What is safe goes to the processed folder, or gets a keyword. Where it cannot (no right, no room), reading goes on, and
        the cursor stays: they are marked once that is mended."""
        with translated(f"Mails in {self._name!r} cannot be marked"):
            try:
                self._mark(uids)
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                what = f"moved to {self._options.processed!r}" if self._options.processed else "marked"
                text = f"Mails in {self._name!r} are stored and cannot be {what}: {said(error)}."
                self.trouble = MailboxFolderError(text, remedy="Give this login the right to, or make room; nothing is lost.")
        return self.trouble is None

    def _mark(self, uids: Sequence[int]) -> None:
        if not uids or self._options.read_only:
            return
        if self._options.processed:
            self._move(uids, self._options.processed)
        elif self._keeps_keywords:
            self._client.add_flags(list(uids), [KEYWORD], silent=True)

    def _move(self, uids: Sequence[int], to: str) -> None:
        """MOVE (RFC 6851), else what it stands for; never expunges what others have deleted (RFC 4315)."""
        if not self._client.folder_exists(to):
            self._client.create_folder(to)
        if self._client.has_capability("MOVE"):
            self._client.move(list(uids), to)
            return
        self._client.copy(list(uids), to)
        self._client.add_flags(list(uids), [b"\\Deleted"], silent=True)
        if self._client.has_capability("UIDPLUS"):
            self._client.uid_expunge(list(uids))

    def _advance(self, inbox: Inbox, uids: Sequence[int], safe: set[int]) -> None:
        """To the last UID below which all is safe; never back."""
        validity, _, last = inbox.cursor(self._name).partition(":")
        before = int(last) if validity == self._validity else 0
        reached = before
        for uid in sorted(uids):
            if uid not in safe:
                break
            reached = max(reached, uid)
        if reached > before or validity != self._validity:
            inbox.move_cursor(self._name, f"{self._validity}:{reached}")


def _selected(client: IMAPClient, name: str, options: MailboxOptions) -> dict[bytes, Any]:
    """The folder's facts. Raises MailboxFolderRefused if it is not there, or closed to us; else what IMAPClient raises."""
    try:
        found: dict[bytes, Any] = client.select_folder(name, readonly=options.read_only)  # EXAMINE leaves even \\Recent
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        there = [str(one) for _, _, one in client.list_folders()]
        if name in there and "NOPERM" not in str(error):  # RFC 5530
            raise
        names = ", ".join(repr(one) for one in there[:_NAMED]) or "none"
        text = f"The folder {name!r} cannot be opened: {said(error)}."
        remedy = f"Correct `folders`, make it, or give this login the right; it sees: {names}."
        raise MailboxFolderRefused(text, remedy=remedy) from error
    return found


def _noted(header: bytes, size: int, folder: str) -> bytes:
    """A header with a line above it: what the reader of mails says of one that is too large to be fetched."""
    return f"X-Ticketmail-Too-Large: {size} bytes, still in {folder.encode('ascii', 'replace').decode()}\r\n".encode() + header


def create(url: str, options: MailboxOptions) -> Mailbox:
    """A mailbox at ``imaps://user:password@host`` (TLS) or ``imap://...`` (STARTTLS). Opens nothing. Raises SettingsError."""
    for name in (*options.folders, options.processed):
        # A line end would begin another command (CVE-2025-15366).
        if any(ord(char) < 32 or ord(char) == 127 for char in name):
            raise SettingsError("A folder's name has a control character.", name="mailboxes")
    if options.processed in options.folders:
        raise SettingsError("Mail cannot be moved to where it is read.", name="mailboxes", remedy="Name another folder.")
    if len(options.folders) > 1 and {name.lower() for name in options.folders} & _GMAIL_TWICE:
        raise SettingsError(
            "Gmail's All Mail and Important hold the other folders' mail once more.", name="mailboxes", remedy="Watch INBOX."
        )
    return ImapMailbox(target_of(url, options), options)
