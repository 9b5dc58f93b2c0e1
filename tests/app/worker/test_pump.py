"""Which mails an account may not send."""

from __future__ import annotations

from uuid import UUID

import pytest

from ticketmail.app.usecases.pump import elsewhere
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail


def mail(*, unknowns: int, last_account: str) -> ClaimedMail:
    delivery = ClaimedDelivery(0, "ann@example.net", 2, unknowns=unknowns, last_account=last_account)
    return ClaimedMail(
        submission_id=UUID(int=1),
        message_id="<1@example.com>",
        sender="help@example.com",
        route="*",
        lane="reply",
        return_path="",
        body=b"",
        size_bytes=1,
        accepted_us=0,
        deadline_us=1,
        deliveries=(delivery,),
    )


@pytest.mark.parametrize(
    ("unknowns", "last_account", "expected"),
    [
        (1, "support", True),  # it may have been taken there
        (1, "rescue", False),  # there is here
        (1, "removed", False),  # nobody else could send it
        (0, "support", False),  # certainly not taken: failover is right
        (1, "", False),
    ],
)
def test_a_mail_that_may_have_been_taken_stays_with_its_account(unknowns: int, last_account: str, expected: bool) -> None:
    claimed = mail(unknowns=unknowns, last_account=last_account)

    assert elsewhere(claimed, "rescue", ("support", "rescue")) is expected
