"""A mail service in one object: a spool, and jobs taken into it as they come from a broker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from ticketmail import Message, Submission, TicketMail
from ticketmail.app.usecases.compile import Compiler, submission_id
from ticketmail.app.usecases.intake import TakeIn, Taken
from ticketmail.domain.job import CancelOrder, Parcel, SubmitOrder, SuppressOrder, encode, payload_of
from ticketmail.domain.ports.queueing import Job
from ticketmail.domain.scope import Scope

AT_US = 1_790_000_000_000_000
SECRET = b"0123456789abcdef0123456789abcdef"


def order(to: str = "ann@example.net", *, ident: UUID | None = None, **names: Any) -> SubmitOrder:
    """A submission with the id that its host has decided."""
    more = {name: names.pop(name) for name in ("message_id", "traceparent", "confirm") if name in names}
    message = Message(sender="help@example.com", to=to, subject="Hi", text=names.pop("text", "Hello."))
    submission = Submission(message=message, **names)
    keyed = submission_id(submission.tenant, submission.key) if submission.key else uuid4()
    return SubmitOrder(submission, ident or keyed, **more)


def job_of(what: SubmitOrder | CancelOrder | SuppressOrder | Parcel, *, secret: bytes | None = None) -> Job:
    """As it travels."""
    if isinstance(what, Parcel):
        parcel = what
    elif isinstance(what, SubmitOrder):
        parcel = Parcel("submit", what.submission_id, AT_US, payload_of(what))
    else:
        parcel = Parcel("cancel" if isinstance(what, CancelOrder) else "suppress", uuid4(), AT_US, payload_of(what))
    return Job(parcel.job_id.hex, encode(parcel, secret=secret))


def cancel(scope: str) -> Job:
    """Cancel what is in ``scope``."""
    return job_of(CancelOrder(Scope.parse(scope), "desk", "closed"))


class Service:
    """What the mail service's side of a broker is."""

    def __init__(self, mail: TicketMail, *, secrets: Sequence[bytes] = (), **more: Any) -> None:
        self.mail, self.spool = mail, mail.spool
        compiler = mail.injector.get(Compiler)
        self.taking = TakeIn(compiler=compiler, spool=mail.spool, secrets=secrets, now_us=lambda: time.time_ns() // 1000, **more)

    def take(self, *jobs: Job | SubmitOrder) -> Taken:
        """Take jobs in, in one batch."""
        return self.taking.take([job_of(one) if isinstance(one, SubmitOrder) else one for one in jobs])

    @property
    def views(self) -> list[Any]:
        """All deliveries, in order of their recipients."""
        return sorted(self.mail.reading.find(Scope.parse("all")), key=lambda view: view.recipient)

    @property
    def states(self) -> dict[str, str]:
        """State by recipient."""
        return {view.recipient: view.state.value for view in self.views}

    @property
    def parked(self) -> list[Any]:
        """Jobs that wait for a human."""
        return list(self.spool.parking.parked(100))

    @property
    def events(self) -> list[Any]:
        """Events that wait for the host."""
        return [item.event for item in self.spool.outbox.take(100, 60)]
