"""From a claimed mail to what a gateway is given: content fetched, our headers in front, rendered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

from ticketmail.app.usecases.large import put_back
from ticketmail.app.usecases.marking import Marking, Marks
from ticketmail.domain.address import Address
from ticketmail.domain.body import decode_body
from ticketmail.domain.message import Message
from ticketmail.domain.ports.accepting import Blobs
from ticketmail.domain.ports.delivering import ClaimedMail
from ticketmail.domain.ports.hosting import AttachmentFetcher
from ticketmail.domain.ports.rendering import Renderer
from ticketmail.domain.ports.sending import Outgoing
from ticketmail.domain.ports.timing import Threads
from ticketmail.domain.ticket import references_root, x_header


class ContentMissing(Exception):
    """Content that the mail needs is gone or damaged: it must never be sent without."""


class Packer:
    """Makes ``Outgoing`` of ``ClaimedMail``. The same claim gives the same bytes, so that a retry is the same mail.

    ``keys()`` gives the token keys. ``fetch`` gets attachments by reference from the host. ``marks`` are by account.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        blobs: Blobs,
        keys: Callable[[], Sequence[bytes]],
        threads: Threads,
        fetch: AttachmentFetcher | None = None,
        marks: Callable[[str], Marks] = lambda account: Marks(),
    ) -> None:
        self._renderer = renderer
        self._blobs = blobs
        self._keys = keys
        self._threads = threads
        self._fetch = fetch
        self._marks = marks

    async def pack(self, mail: ClaimedMail, recipients: tuple[str, ...], account: str = "") -> Outgoing:
        """Raises ContentMissing (dead), OSError (again later), InvalidSubmission kin (cannot be rendered: dead)."""
        message = decode_body(mail.body)
        contents = await self._contents(mail.tenant, message)
        marks, marking = self._marks(account), self._marking(mail)
        message = marking.message(put_back(message, contents), marks)
        mime = self._renderer.render(
            message, headers=self._headers(mail, message), contents=contents, seed=mail.submission_id.hex
        )
        return Outgoing(
            submission_id=mail.submission_id,
            message_id=mail.message_id,
            return_path=marking.return_path(mail.return_path, marks),
            recipients=recipients,
            mime=mime,
            message=None if message.raw is not None else message,
            key=f"{mail.submission_id.hex}/{'-'.join(str(one.number) for one in mail.deliveries)}",
            deadline_us=mail.deadline_us,
            lane=mail.lane,
            ticket=mail.ticket,
        )

    async def _contents(self, tenant: str, message: Message) -> dict[str, bytes]:
        contents: dict[str, bytes] = {}
        for one in message.attachments:
            if one.blob is not None:
                contents[one.blob] = await self._blob(tenant, one.blob)
            elif one.reference is not None:
                contents[one.reference] = await self._referenced(one.reference)
        return contents

    async def _blob(self, tenant: str, digest: str) -> bytes:
        try:
            return await self._threads.run(lambda: self._blobs.get(tenant, digest))
        except KeyError as error:
            raise ContentMissing(f"Content {digest[:19]}... is not in the blob store any more.") from error

    async def _referenced(self, reference: str) -> bytes:
        fetch = self._fetch
        if fetch is None:
            raise ContentMissing(
                f"Attachment {reference!r} is a reference, and the worker has no fetcher (TicketMail(fetch=...))."
            )
        try:
            found = await self._threads.run(lambda: fetch(reference))
            return await found if inspect.isawaitable(found) else found
        except LookupError as error:
            raise ContentMissing(f"Attachment {reference!r} is not to be had: {type(error).__name__}.") from error
        except Exception as error:  # a host's database that is away says so in its own words
            raise OSError(f"Attachment {reference!r} cannot be had now: {type(error).__name__}.") from error

    def _marking(self, mail: ClaimedMail) -> Marking:
        return Marking(self._keys(), mail.submission_id, mail.tenant, mail.ticket, _bound_to(mail))

    def _headers(self, mail: ClaimedMail, message: Message) -> tuple[tuple[str, str], ...]:
        keys = self._keys()
        made = datetime.fromtimestamp(mail.accepted_us // 1_000_000, tz=UTC)
        headers = [
            ("Date", format_datetime(made)),
            ("Message-ID", mail.message_id),
            x_header(keys, mail.submission_id, tenant=mail.tenant, recipients=_bound_to(mail)),
        ]
        domain = mail.message_id.rstrip(">").rpartition("@")[2]
        if mail.ticket is not None and not message.references and message.raw is None and domain:
            root = references_root(keys, mail.tenant, mail.ticket, domain)
            own = f" {_bracketed(message.in_reply_to)}" if message.in_reply_to else ""
            headers.append(("References", root + own))
        return tuple(headers)


def _bound_to(mail: ClaimedMail) -> list[str]:
    """Tokens name the one recipient that they were made for."""
    return [Address.model_validate(one.recipient).key for one in mail.deliveries] if len(mail.deliveries) == 1 else []


def _bracketed(ident: str) -> str:
    return ident if ident.startswith("<") else f"<{ident}>"


def part_of(outgoing: Outgoing, first: int, most: int) -> Outgoing:
    """The same mail for ``most`` of its recipients, from ``first`` on; whole if it fits."""
    if not first and len(outgoing.recipients) <= most:
        return outgoing
    key = f"{outgoing.key}/{first}" if outgoing.key and first else outgoing.key
    return replace(outgoing, recipients=outgoing.recipients[first : first + most], key=key)
