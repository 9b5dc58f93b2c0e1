"""The worker, whole: a real spool, a real server on loopback, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.worker.scene import all_in, letter, until, views, working
from ticketmail import Scope, TicketMail
from ticketmail.adapters.sql.deliveries import SqlDeliveries
from ticketmail.app.usecases import completions
from ticketmail.domain.errors import SpoolFull
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.outcome import Taken
from ticketmail.domain.ports.hosting import Verdict
from ticketmail.domain.ports.reading import Pause
from ticketmail.testing.smtpd import ServerLimits, SmtpServer


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with SmtpServer() as running:
        yield running


@pytest.fixture
def make_mail(tmp_path: Path) -> Callable[..., TicketMail]:
    def make(
        *servers: SmtpServer, host: dict[str, object] | None = None, account: dict[str, object] | None = None, **names: object
    ) -> TicketMail:
        accounts = {
            f"account{place}": {"url": f"smtp://127.0.0.1:{one.port}", **(account or {})} for place, one in enumerate(servers)
        }
        settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": accounts, "unknown": {"evidence_after": ["0.1s"]}}
        return TicketMail(settings={**settings, **names}, **(host or {}))

    return make


async def test_a_mail_is_sent_told_and_explained(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    with make_mail(server) as mail:
        receipt = await mail.asubmit(letter(), ticket="4711", key="note-1")
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT))

        (taken,) = server.taken
        assert taken.message_id == receipt.message_id
        assert [row.kind for row in mail.reading.history(receipt.submission_id)] == ["accepted", "attempt", "sent"]
        events = [item.event for item in mail.spool.outbox.take(10, 30)]
        assert [(event.kind, event.ticket, event.key) for event in events] == [("sent", "4711", "note-1")]


async def test_blind_copies_are_in_the_envelope_alone(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    with make_mail(server) as mail:
        await mail.asubmit(letter(bcc="secret@example.org"))
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT))

        (taken,) = server.taken
        assert sorted(taken.recipients) == ["ann@example.net", "secret@example.org"]
        assert b"secret@" not in taken.data


async def test_a_recipient_s_fault_fails_that_recipient_alone_and_suppresses_it(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    server.refuse("rcpt", "550 5.1.1 no such user", recipient="gone@example.net")
    with make_mail(server) as mail:
        await mail.asubmit(letter(("ann@example.net", "gone@example.net")))
        async with working(mail):
            await until(lambda: {view.state for view in views(mail)} == {DeliveryState.SENT, DeliveryState.FAILED})

        by_recipient = {view.recipient: view for view in views(mail)}
        assert by_recipient["gone@example.net"].cause == "unknown-recipient"
        assert by_recipient["ann@example.net"].state is DeliveryState.SENT
        assert [one.address for one in mail.reading.suppressions()] == ["gone@example.net"]


async def test_a_limit_holds_mail_without_spending_attempts(make_mail: Callable[..., TicketMail]) -> None:
    """The server's limit is unknown to us: it refuses, the account waits, and all arrive with one spent attempt each."""
    async with SmtpServer(limits=ServerLimits(rate=10, window_s=1.0, burst=3)) as limited:
        with make_mail(limited) as mail:
            for number in range(8):
                await mail.asubmit(letter(f"u{number}@example.net"))
            async with working(mail):
                await until(all_in(mail, DeliveryState.SENT), 30)

            assert limited.refused_count > 0
            assert {view.attempts for view in views(mail)} == {1}


async def test_known_limits_are_never_overrun(make_mail: Callable[..., TicketMail]) -> None:
    async with SmtpServer(limits=ServerLimits(rate=20, window_s=1.0, connections=2)) as limited:
        with make_mail(limited, account={"limits": ["20/s"], "connections": 2}) as mail:
            for number in range(30):
                await mail.asubmit(letter(f"u{number}@example.net"))
            async with working(mail):
                await until(all_in(mail, DeliveryState.SENT), 30)

            assert limited.refused_count == 0
            assert limited.connections_peak <= 2


async def test_a_dead_server_is_passed_over_for_the_next_account(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    async with SmtpServer() as down:
        pass
    with make_mail(down, server, retry={"transient": ["0.1s"], "connection": ["0.1s"]}) as mail:
        for number in range(8):
            await mail.asubmit(letter(f"u{number}@example.net"))
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT), 30)

        assert {view.account for view in views(mail)} == {"account1"}
        assert mail.reading.suppressions() == []


async def test_a_lost_answer_becomes_unknown_and_the_host_s_evidence_saves_a_copy(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    class SentFolder:
        async def look(self, **facts: object) -> Verdict:
            found = any(one.message_id == facts["message_id"] for one in server.taken)
            return Verdict("sent" if found else "not-sent", "it is in the Sent folder")

    server.cut("taken", times=1)
    with make_mail(server, host={"evidence": SentFolder()}) as mail:
        await mail.asubmit(letter())
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT))

        assert len(server.taken) == 1
        assert "unknown" in [item.event.kind for item in mail.spool.outbox.take(10, 30)]


async def test_without_evidence_it_is_sent_once_more_with_the_same_message_id(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    server.cut("taken", times=1)
    with make_mail(server) as mail:
        await mail.asubmit(letter())
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT))

        assert len(server.taken) == 2
        assert len({one.message_id for one in server.taken}) == 1


async def test_a_login_code_is_never_sent_twice(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    server.cut("taken", times=1)
    with make_mail(server) as mail:
        await mail.asubmit(letter(), lane="code")
        async with working(mail):
            await until(all_in(mail, DeliveryState.DEAD))

        assert len(server.taken) == 1


async def test_a_cancelled_mail_does_not_go(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    with make_mail(server) as mail:
        await mail.asubmit(letter(), ticket="1")
        await mail.asubmit(letter("bob@example.net"), ticket="2")
        await asyncio.to_thread(lambda: mail.cancel("ticket:1", reason="closed"))
        async with working(mail):
            await until(lambda: {view.state for view in views(mail)} == {DeliveryState.CANCELLED, DeliveryState.SENT})

        assert [one.recipients for one in server.taken] == [("bob@example.net",)]


async def test_large_content_travels_by_the_blob_store(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    from ticketmail import attach

    with make_mail(server) as mail:
        content = bytes(range(256)) * 1024
        await mail.asubmit(letter(attachments=(attach(content, filename="a.bin"),)))
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT))

        assert len(server.taken[0].data) > len(content)


async def test_draining_lets_what_is_in_flight_end(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    server.delay("dot", 0.5)
    with make_mail(server) as mail:
        await mail.asubmit(letter())
        async with working(mail):
            await until(lambda: views(mail)[0].state is DeliveryState.SENDING)

        (view,) = views(mail)
        assert view.state is DeliveryState.SENT
        assert mail.reading.workers()[0].retired_us is not None


async def test_a_second_signal_stops_at_once_and_says_unknown(server: SmtpServer, make_mail: Callable[..., TicketMail]) -> None:
    server.hang("dot")
    with make_mail(server, unknown={"evidence_after": ["1h"]}) as mail:
        await mail.asubmit(letter())
        async with working(mail) as worker:
            await until(lambda: views(mail)[0].state is DeliveryState.SENDING)
            worker.drain()

        assert views(mail)[0].state is DeliveryState.UNKNOWN
        server.heal()


async def test_replies_overtake_waiting_bulk(make_mail: Callable[..., TicketMail]) -> None:
    async with SmtpServer() as slow:
        with make_mail(slow, account={"limits": ["20/s"], "connections": 1}) as mail:
            await asyncio.to_thread(lambda: mail.submit_many([_bulk(number) for number in range(60)]))
            await mail.asubmit(letter("urgent@example.net"), lane="reply")
            async with working(mail):
                await until(lambda: any("urgent@example.net" in one.recipients for one in slow.taken))

                assert len(slow.taken) < 20


def _bulk(number: int) -> object:
    from ticketmail import Submission

    return Submission(message=letter(f"b{number}@example.net"), lane="bulk")


async def test_a_paused_account_sends_nothing_until_it_is_resumed(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    scope = Scope.parse("account:account0")
    with make_mail(server) as mail:
        mail.operating.pause(Pause(scope, mail.reading.now_us(), None, "moving house", "ann"))
        await mail.asubmit(letter())
        async with working(mail):
            await asyncio.sleep(0.5)  # ten polls
            assert server.mails_begun == 0
            assert {view.state for view in views(mail)} == {DeliveryState.QUEUED}

            mail.operating.resume(scope, actor="ann", reason="moved")
            await until(all_in(mail, DeliveryState.SENT))


async def test_a_fault_of_ours_after_the_body_leaves_a_mail_unknown_and_the_worker_alive(
    server: SmtpServer, make_mail: Callable[..., TicketMail], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = completions.decide

    def broken(standing: object, outcome: object, *rest: object, **names: object) -> object:
        if isinstance(outcome, Taken) and outcome.remote_id.endswith("1"):
            raise RecursionError("a fault of ours")
        return real(standing, outcome, *rest, **names)  # type: ignore[arg-type]

    monkeypatch.setattr(completions, "decide", broken)
    with make_mail(server, account={"connections": 1}) as mail:
        await mail.asubmit(letter())
        await mail.asubmit(letter("bob@example.net"))
        async with working(mail):
            await until(lambda: {view.state for view in views(mail)} == {DeliveryState.UNKNOWN, DeliveryState.SENT})

        (unknown,) = [view for view in views(mail) if view.state is DeliveryState.UNKNOWN]
        assert (unknown.cause, unknown.due_us) == ("undecided", None)
        assert len(server.taken) == 2


async def test_claims_that_could_not_be_given_back_are_not_kept_by_a_living_worker(
    server: SmtpServer, make_mail: Callable[..., TicketMail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk fails a delivery and then the release of its claim, while no round fails: nobody else would free the mail."""
    failing = {"begin": 1, "release": 2}

    def fails_once(name: str) -> None:
        real = getattr(SqlDeliveries, name)

        async def call(*args: object, **names: object) -> object:
            if failing[name]:
                failing[name] -= 1
                raise SpoolFull("The disk is full.")
            return await real(*args, **names)

        monkeypatch.setattr(SqlDeliveries, name, call)

    fails_once("begin")
    fails_once("release")
    with make_mail(server) as mail:
        await mail.asubmit(letter())
        async with working(mail):
            await until(all_in(mail, DeliveryState.SENT))

    assert failing == {"begin": 0, "release": 0}
    assert len(server.taken) == 1


async def test_a_mail_to_more_than_one_transaction_takes_goes_in_several_as_one_mail(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    people = tuple(f"u{number}@example.net" for number in range(7))
    server.refuse("rcpt", "550 5.1.1 no such user", recipient=people[4])
    with make_mail(server, account={"max_recipients": 3}) as mail:
        await mail.asubmit(letter(people))
        async with working(mail):
            await until(lambda: all(view.attempts for view in views(mail)))

        assert [len(one.recipients) for one in server.taken] == [3, 2, 1]
        assert len({one.message_id for one in server.taken}) == 1
        assert {view.recipient for view in views(mail) if view.state is DeliveryState.FAILED} == {people[4]}
        assert sorted(one for taken in server.taken for one in taken.recipients) == sorted({*people} - {people[4]})


async def test_a_server_that_takes_fewer_recipients_at_once_is_asked_for_fewer(
    make_mail: Callable[..., TicketMail],
) -> None:
    people = tuple(f"u{number}@example.net" for number in range(5))
    async with SmtpServer() as small:
        for late in people[2:]:
            small.refuse("rcpt", "452 4.5.3 too many recipients", recipient=late, times=1)
        with make_mail(small) as mail:
            await mail.asubmit(letter(people))
            async with working(mail):
                await until(all_in(mail, DeliveryState.SENT))

            assert [len(one.recipients) for one in small.taken] == [2, 2, 1]


async def test_a_mail_above_the_accounts_size_is_refused_before_it_is_sent(
    server: SmtpServer, make_mail: Callable[..., TicketMail]
) -> None:
    with make_mail(server) as before:
        await before.asubmit(letter(text="x" * 5000))
    with make_mail(server, account={"max_size": 2000}) as mail:
        async with working(mail):
            await until(all_in(mail, DeliveryState.DEAD))

        (view,) = views(mail)
        assert view.cause == "too-large"
        assert "max_size" in view.reply
        assert not server.taken
