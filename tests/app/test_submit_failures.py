"""What a host meets when the spool fails in the middle of a hand-over."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from ticketmail import Attachment, KeyReused, Message, Receipt, SpoolBusy, SpoolError, Submission, SubmitInDoubt
from ticketmail.app.usecases.compile import Compiler, SubmitRules
from ticketmail.app.usecases.submit import CHUNK, Submit
from ticketmail.app.wiring.rendering import LazyRenderer
from ticketmail.app.wiring.timing import SystemClock
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.outbound.lanes import SHIPPED
from ticketmail.domain.outbound.routing import Routes
from ticketmail.domain.ports.accepting import Accepted, Entry

NOTE = Message(sender="help@example.com", to="ann@example.net", text="Hi")


class ScriptedIntake:
    """Raises what it is told to, in turn; then accepts. Keeps what it was given."""

    def __init__(self, *script: Exception | None, short: bool = False) -> None:
        self.calls: list[list[UUID]] = []
        self._script = list(script)
        self._short = short

    def accept(self, entries: Sequence[Entry], *, connection: object | None = None) -> Sequence[Accepted | KeyReused]:
        self.calls.append([entry.submission_id for entry in entries])
        error = self._script.pop(0) if self._script else None
        if error is not None:
            raise error
        return [Accepted(entry.submission_id, True, 1) for entry in entries[: -1 if self._short else None]]


class Blobs:
    def __init__(self, digest: str | None = None) -> None:
        self._digest = digest

    def put(self, tenant: str, content: bytes, *, connection: object | None = None) -> str:
        return self._digest or ""

    def get(self, tenant: str, digest: str) -> bytes:
        raise KeyError(digest)


def submit(intake: ScriptedIntake) -> Submit:
    compiler = Compiler(
        renderer=LazyRenderer(),
        administering=None,  # type: ignore[arg-type]  (never asked: the rules have a secret)
        routes=Routes({}, ["support"]),
        lanes=SHIPPED,
        clock=SystemClock(),
        random_bytes=bytes,
        rules=SubmitRules(max_size_bytes=1_000_000, secrets=(b"0" * 32,)),
    )
    return Submit(compiler, intake, Blobs("sha256:other"))


def in_doubt() -> SubmitInDoubt:
    return SubmitInDoubt("The answer was lost.", retry=lambda: pytest.fail("the adapter's own retry gives no receipt"))


def test_a_doubt_is_retried_with_the_same_id_and_ends_in_a_receipt() -> None:
    intake = ScriptedIntake(in_doubt(), in_doubt())
    with pytest.raises(SubmitInDoubt) as first:
        submit(intake).one(Submission(message=NOTE))
    with pytest.raises(SubmitInDoubt) as second:
        first.value.retry()

    receipt = second.value.retry()

    assert isinstance(receipt, Receipt)
    assert intake.calls == [[receipt.submission_id]] * 3


def test_a_doubt_among_many_is_each_ones_own() -> None:
    intake = ScriptedIntake(in_doubt())

    results = submit(intake).many([Submission(message=NOTE), Submission(message=NOTE, key="k")])

    errors = [one for one in results if isinstance(one, SubmitInDoubt)]
    assert [error.retry().submission_id for error in errors] == intake.calls[0]


def test_a_sick_spool_is_not_asked_again_for_each_further_chunk() -> None:
    intake = ScriptedIntake(None, SpoolBusy("held"))

    results = submit(intake).many([Submission(message=NOTE, key=str(number)) for number in range(4 * CHUNK)])

    assert len(intake.calls) == 2
    assert [type(one) for one in results] == [Receipt] * CHUNK + [SpoolBusy] * 3 * CHUNK


def test_in_the_hosts_transaction_a_sick_spool_is_raised_and_there_is_one_call() -> None:
    many = [Submission(message=NOTE, key=str(number)) for number in range(2 * CHUNK)]
    intake = ScriptedIntake()
    results = submit(intake).many(many, connection=object())
    assert len(intake.calls) == 1
    assert {one.durable for one in results if isinstance(one, Receipt)} == {"transaction"}

    with pytest.raises(SpoolError):
        submit(ScriptedIntake(SpoolBusy("held"))).many(many, connection=object())


def test_an_adapter_that_answers_short_is_found_out() -> None:
    with pytest.raises(ContractBroken):
        submit(ScriptedIntake(short=True)).many([Submission(message=NOTE), Submission(message=NOTE)])


def test_a_blob_store_that_names_content_otherwise_is_found_out_before_anything_is_accepted() -> None:
    intake = ScriptedIntake()
    large = NOTE.model_copy(update={"attachments": (Attachment(filename="x", content=b"x" * 100_000),)})

    with pytest.raises(ContractBroken):
        submit(intake).one(Submission(message=large))

    assert intake.calls == []
