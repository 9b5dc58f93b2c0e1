"""Real lines of real servers."""

from __future__ import annotations

import pytest

from ticketmail.adapters.smtp.replies import refused, remote_id_of, reply_of
from ticketmail.domain.outbound.outcome import Phase, Reply


@pytest.mark.parametrize(
    ("line", "remote_id"),
    [
        ("250 2.0.0 Ok: queued as 4Xyz1234AbZ", "4Xyz1234AbZ"),
        ("250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9F1C2", "9F1C2"),
        ("250 OK id=1tFabc-0000000Abcd-1234", "1tFabc-0000000Abcd-1234"),
        (
            "250 2.6.0 <a@b.example> [InternalId=123456789012, Hostname=AM0PR0.eurprd.prod.outlook.com] 8 bytes in 0.1, "
            "Queued mail for delivery",
            "123456789012",
        ),
        (
            "250 Ok 010201971234abcd-0a1b2c3d-1111-2222-3333-444455556666-000000",
            "010201971234abcd-0a1b2c3d-1111-2222-3333-444455556666-000000",
        ),
        (
            "250 2.0.0 OK  1732473000 ffacd0b85a97d-38260ef1234si12345678f8f.123 - gsmtp",
            "ffacd0b85a97d-38260ef1234si12345678f8f.123",
        ),
        ("250 2.0.0 4AOIabcd012345 Message accepted for delivery", "4AOIabcd012345"),
        ("250 ok 1732473000 qp 12345", "12345"),
        ("250 Ok: queued as <20261124.abc@mx.example>", "20261124.abc@mx.example"),
        ("250 Great success", ""),
        ("250 2.0.0 Ok", ""),
        ("250", ""),
    ],
)
def test_the_id_in_a_final_250(line: str, remote_id: str) -> None:
    assert remote_id_of(reply_of([line])) == remote_id


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (["550 5.1.1 <a@b>: no such user"], Reply(550, "<a@b>: no such user", "5.1.1")),
        (["550-5.1.1 The account", "550 5.1.1 does not exist"], Reply(550, "The account does not exist", "5.1.1")),
        (["421 Service not available"], Reply(421, "Service not available")),
        (["450 4.7.1"], Reply(450, "", "4.7.1")),
        (["250"], Reply(250)),
        (["554 5.7.1.2.3 odd"], Reply(554, "5.7.1.2.3 odd")),
        (["550 no\x1b[31m\x00red"], Reply(550, "no [31m red")),
    ],
)
def test_a_reply_is_read(lines: list[str], reply: Reply) -> None:
    assert reply_of(lines) == reply


def test_a_reply_without_end_is_cut() -> None:
    assert len(reply_of(["550 " + "x" * 9000]).text) == 2000


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("450 4.2.0 <a@b>: Recipient address rejected: Greylisted for 300 seconds", 300),
        ("451 4.7.1 Greylisting in action, please come back in 00:04:59", 299),
        ("450 4.7.1 Too much mail, try again in 5 minutes", 300),
        ("421 4.7.0 Rate limited. Retry after 60s", 60),
        ("450 4.7.1 Please wait 2 hours", 7200),
        ("450 4.7.1 try again in 999999 hours", 86_400),
        ("451 4.7.1 Try again later", None),
        ("450 4.1.1 mailbox 300 sales unknown", None),
        ("550 5.7.1 blocked, try again in 5 minutes", None),
    ],
)
def test_the_servers_own_word_on_when_to_come_back(line: str, seconds: float | None) -> None:
    assert refused(reply_of([line]), Phase.RCPT).retry_after_s == seconds
