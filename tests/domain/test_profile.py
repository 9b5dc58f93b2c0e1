"""Profiles: data with sources; settings win field by field, and each figure says where it came from."""

from __future__ import annotations

import re

import pytest

from ticketmail.adapters.smtp.profiles import OFFICE365, PROFILES, SES
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import Phase, Refused, Reply
from ticketmail.domain.outbound.profile import Figure, Profile, Said, combine, profile_of_host
from ticketmail.domain.outbound.windows import Window

BY_NAME = {one.name: one for one in PROFILES}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_every_figure_can_be_used_and_names_its_source_and_date(profile: Profile) -> None:
    combined = combine(Said(), profile)
    caps = [profile.connections, profile.messages_per_connection, profile.max_recipients, profile.max_size_bytes]
    figures = [*profile.windows, *(one for one in caps if one is not None)]

    assert len(combined.limits.windows) == len(profile.windows)
    assert all(one.source and re.fullmatch(r"\d{4}-\d\d-\d\d", one.read) for one in figures)
    assert list(combined.sources.values()).count(f"profile {profile.name}") == len(figures)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("smtp.office365.com", "office365"),
        ("SMTP.Gmail.com", "google-workspace"),
        ("smtp-relay.gmail.com", "google-relay"),
        ("email-smtp.eu-central-1.amazonaws.com", "ses"),
        ("smtp.sendgrid.net", "sendgrid"),
        ("smtp.postmarkapp.com", "postmark"),
        ("smtp.mailgun.org", "mailgun"),
        ("smtp.resend.com", "resend"),
    ],
)
def test_a_vendor_is_known_by_its_host(host: str, name: str) -> None:
    found = profile_of_host(host, BY_NAME)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "host", ["", "localhost", "smtp.office365.com.evil.example", "email-smtp.a.b.amazonaws.com", "gmail.com"]
)
def test_a_host_that_only_looks_alike_is_nobodys(host: str) -> None:
    assert profile_of_host(host, BY_NAME) is None


def test_settings_win_field_by_field_and_a_window_by_unit_and_period() -> None:
    said = Said(windows=(Window.parse("20/min"), Window.parse("5000/day@UTC recipients")), connections=2)
    combined = combine(said, OFFICE365)

    assert [str(one) for one in combined.limits.windows] == ["20/min", "5000/day@UTC recipients"]
    assert combined.limits.connections == 2
    assert combined.sources["windows.20/min"] == combined.sources["connections"] == "settings"
    assert combined.sources["messages_per_connection"] == "default"


def test_a_told_window_of_another_period_leaves_the_profiles_in_force() -> None:
    combined = combine(Said(windows=(Window.parse("1/s"),)), OFFICE365)

    assert {str(one) for one in combined.limits.windows} == {"1/s", "30/min", "10000/day recipients"}
    assert combined.sources["windows.30/min"] == "profile office365"


def test_without_a_profile_the_shipped_defaults_hold() -> None:
    combined = combine(Said(), None)

    assert combined.limits == AccountLimits()
    assert set(combined.sources.values()) == {"default"}


def test_a_share_is_taken_of_the_profiles_figures_too() -> None:
    limits = combine(Said(share=0.5), OFFICE365).limits

    assert ([one.limit for one in limits.ours], limits.slots) == ([15, 5000], 1)


def test_a_figure_that_is_no_window_is_refused() -> None:
    with pytest.raises(SettingsError):
        combine(Said(), Profile("x", "X", windows=(Figure("lots", "nowhere", "2026-11-24"),)))


def test_nothing_that_a_plan_decides_slows_a_recognised_account() -> None:
    assert SES.windows == ()


@pytest.mark.parametrize(
    ("name", "reply", "phase"),
    [
        ("google-relay", Reply(550, "Mail relay quota for this customer", "5.7.1"), Phase.DATA),
        ("sendgrid", Reply(451, "Authentication failed: credits", ""), Phase.AUTH),
    ],
)
def test_lying_codes_of_one_vendor_hold_the_account_only_there(name: str, reply: Reply, phase: Phase) -> None:
    refused = Refused(reply, phase)

    assert classify(refused, profile=name, rules=BY_NAME[name].rules).cause == "quota"
    assert classify(refused).cause != "quota"
