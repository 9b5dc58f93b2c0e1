"""Windows that each tenant has for itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.tenants import Amount, TenantState, document_of, is_idle, let, not_sent, tenant_hold, whose
from ticketmail.domain.outbound.windows import Window

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
LIMITS = AccountLimits.parse(["5/h per tenant", "10/h recipients per tenant", "100KiB/day@UTC per tenant", "1000/day"])


def test_windows_of_tenants_are_not_the_accounts() -> None:
    assert [str(one) for one in LIMITS.ours] == ["1000/day"]
    assert [str(one) for one in LIMITS.of_tenant] == [
        "5/h per tenant",
        "10/h recipients per tenant",
        "102400/day@UTC bytes per tenant",
    ]
    assert AccountLimits.parse(["10/h per tenant"], share=0.5).of_tenant[0].limit == 10


@pytest.mark.parametrize("text", ["5/h per", "5/h tenant", "5/h per recipients", "5/h per tenant rolling", "5/h pertenant"])
def test_what_is_no_window_of_a_tenant_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="per tenant"):
        Window.parse(text)


def test_a_mail_that_was_counted_a_slot_after_its_permit_was_given_is_given_back() -> None:
    """The permit comes first, then the claim, then the count: a minute may begin in between."""
    state, _ = let(TenantState(), LIMITS, "acme", [Amount(), Amount()], now_us=NOW, worker="w")
    after = not_sent(state, LIMITS, Amount(), issued_us=NOW - 60 * SECOND, worker="w")
    assert sum(after.windows["messages/3600s"].slots.values()) == 1
    assert (
        sum(not_sent(state, LIMITS, Amount(), issued_us=NOW + 60 * SECOND, worker="w").windows["messages/3600s"].slots.values())
        == 2
    )


def test_what_is_written_is_read_again() -> None:
    for text in ("5/h per tenant", "10/h recipients per tenant", "2000/day@Europe/Berlin per tenant"):
        assert str(Window.parse(text)) == text


def test_all_windows_count_a_mail_or_none_does() -> None:
    state, turns = let(TenantState(), LIMITS, "acme", [Amount(3), Amount(3), Amount(5), Amount(1)], now_us=NOW, worker="w")
    assert len(turns.at_us) == 2, "the third has more recipients than are left; the fourth waits behind it"
    assert turns.hold is not None
    assert turns.hold.kind == "quota"
    assert "'acme' has used up its limit of 10/h recipients" in turns.hold.reason
    assert turns.hold.cause in CAUSES
    used = {key: sum(one.slots.values()) or one.used for key, one in state.windows.items()}
    assert used == {"messages/3600s": 2, "recipients/3600s": 6, "bytes/86400s@UTC": 0}


def test_a_mail_larger_than_the_whole_window_goes_alone() -> None:
    state, turns = let(TenantState(), LIMITS, "acme", [Amount(1, 200_000), Amount(1, 1)], now_us=NOW, worker="w")
    assert len(turns.at_us) == 1
    assert tenant_hold(state, LIMITS, "acme", NOW) is not None


@pytest.mark.parametrize(
    "text", ["10/h recipients per tenant", "600/min recipients per tenant", "10/day@UTC recipients per tenant"]
)
def test_a_mail_that_does_not_fit_is_held_until_it_does(text: str) -> None:
    limits = AccountLimits.parse([text])
    most = min(10, limits.of_tenant[0].limit)
    state, _ = let(TenantState(), limits, "acme", [Amount(most - 2)], now_us=NOW, worker="w")
    while (turns := let(state, limits, "acme", [Amount(1)], now_us=NOW, worker="w")[1]).hold is None:
        state = let(state, limits, "acme", [Amount(1)], now_us=NOW, worker="w")[0]

    _, turns = let(state, limits, "acme", [Amount(5)], now_us=NOW, worker="w")
    assert turns.hold is not None
    assert turns.hold.until_us is not None
    assert turns.hold.until_us > NOW + SECOND // 100, "not asked for again and again"
    assert let(state, limits, "acme", [Amount(5)], now_us=turns.hold.until_us, worker="w")[1].hold is None


def test_fields_of_a_newer_release_are_kept() -> None:
    state, _ = let(TenantState.from_json(b'{"newer": 1}'), LIMITS, "acme", [Amount()], now_us=NOW, worker="w")
    after = not_sent(state, LIMITS, Amount(), issued_us=NOW, worker="w")
    assert b'"newer":1' in after.to_json()


@given(st.text(), st.text())
def test_a_document_says_whose_it_is(account: str, tenant: str) -> None:
    assert whose(document_of(account, tenant)) == (account, tenant)


def test_a_tenant_is_idle_when_nothing_of_it_counts_any_more() -> None:
    state, _ = let(TenantState(), LIMITS, "acme", [Amount(1, 9)], now_us=NOW, worker="w")
    assert not is_idle(state, LIMITS.of_tenant, NOW + 3500 * SECOND)
    assert is_idle(state, LIMITS.of_tenant, NOW + 2 * 86_400 * SECOND)


def test_each_mail_of_a_short_window_has_its_turn() -> None:
    limits = AccountLimits.parse(["60/min per tenant"])
    state, turns = let(TenantState(), limits, "acme", [Amount()] * 3, now_us=NOW, worker="w")
    assert turns.at_us == (NOW,)
    assert turns.hold is not None
    assert turns.hold.until_us is not None
    _, later = let(state, limits, "acme", [Amount()], now_us=turns.hold.until_us, worker="w")
    assert len(later.at_us) == 1
    assert later.at_us[0] >= turns.hold.until_us


def test_a_mail_that_stays_here_is_not_counted() -> None:
    state, _ = let(TenantState(), LIMITS, "acme", [Amount(2, 50)], now_us=NOW, worker="w")
    back = not_sent(state, LIMITS, Amount(2, 50), issued_us=NOW, worker="w")
    assert {key: sum(one.slots.values()) + one.used for key, one in back.windows.items()} == dict.fromkeys(back.windows, 0)


@given(st.lists(st.tuples(st.integers(0, 1800), st.integers(1, 4)), max_size=40))
def test_no_hour_has_more_than_its_limit_and_every_hold_ends(steps: list[tuple[int, int]]) -> None:
    state, now_us = TenantState(), NOW
    went: list[int] = []
    for wait_s, count in steps:
        now_us += wait_s * SECOND
        state = TenantState.from_json(state.to_json())
        state, turns = let(state, LIMITS, "", [Amount()] * count, now_us=now_us, worker="w")
        went += turns.at_us
        assert all(sum(at_us - 3600 * SECOND < one <= at_us for one in went) <= 5 for at_us in went)
        if turns.hold is not None:
            assert turns.hold.until_us is not None
            assert tenant_hold(state, LIMITS, "", turns.hold.until_us) is None or count > 5


def test_a_document_that_is_none_begins_anew() -> None:
    assert TenantState.from_json(b"{") == TenantState.from_json(None) == TenantState()
