"""What both kinds of time share: the mails, how many of them wait, and what is made of a run's counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from limits_scenarios import Result, Scenario, Span, found, merged

from ticketmail import Message, Receipt, Submission, TicketMail
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.testing.books import deliveries
from ticketmail.testing.smtpd.tally import Tally

FED_EVERY_S = 5.0
_ENDED_BADLY = (DeliveryState.DEAD, DeliveryState.FAILED, DeliveryState.EXPIRED)


def feed(mail: TicketMail, scenario: Scenario, handed: int, taken: int, *, ahead_s: float) -> int:
    """Hand over what is missing of the backlog: enough for ``ahead_s``, so that it never runs dry. How many have been handed
    over then."""
    missing = max(40, int(scenario.pace * ahead_s)) - (handed - taken)
    receipts = mail.submit_many(mails(range(handed, handed + missing)))
    assert all(isinstance(one, Receipt) for one in receipts)
    return handed + len(receipts)


def judged(
    scenario: Scenario, workers: int, span: Span, *, mail: TicketMail, tallies: Sequence[Tally], taken: Counter[str]
) -> Result:
    """The run's result, by the server's counts and the spool's books."""
    tally, views = merged(tallies), deliveries(mail.reading)
    if not scenario.changes:  # of all accounts, used or not
        tally.allowed_per_s = scenario.pace
    sent = sum(view.state is DeliveryState.SENT for view in views)
    return Result(
        scenario=scenario.name,
        workers=workers,
        handed_over=len(views),
        sent=sent,
        dead=sum(view.state in _ENDED_BADLY for view in views),
        wasted=sum(view.attempts for view in views) - sent,
        copies=taken.total() - len(taken),
        usage=tally.usage(span.from_s, span.to_s),
        halved_found_s=found(tally, span.halved_s, span.doubled_s) if scenario.changes else None,
        doubled_found_s=found(tally, span.doubled_s, span.to_s) if scenario.changes else None,
        changes=scenario.changes,
        taken_in_second=[tally.seconds["taken"][second] for second in range(int(span.to_s))],
        refused_in_second=[tally.seconds["refused"][second] for second in range(int(span.to_s))],
    )


def mails(numbers: Iterable[int]) -> list[Submission]:
    """One mail to one recipient and ticket for each number."""
    return [_mail(number) for number in numbers]


def _mail(number: int) -> Submission:
    message = Message(sender="desk@example.com", to=f"c{number}@example.net", subject=f"Note {number}", text="On its way.")
    return Submission(message=message, ticket=f"t{number}", lane="reply")
