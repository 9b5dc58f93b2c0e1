"""What ``pytest_plugins = ["ticketmail.testing.plugin"]`` brings, and what guards a contract, seen from an author's project."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_EMPTY = "test_nothing_handed_over_is_nothing_stored"
_SPOOL = """
import itertools, pytest
from ticketmail.adapters.memory import create
from ticketmail.testing.spool_contract import SpoolContract

count = itertools.count()

class TestAcme(SpoolContract):
    @pytest.fixture
    def make_spool(self):
        url = f"memory://acme{next(count)}"
        return lambda options: create(url, options)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    return pytester


def test_its_fixtures_make_a_clock_and_a_sandbox(project: pytest.Pytester) -> None:
    project.makeconftest('pytest_plugins = ["ticketmail.testing.plugin"]')
    project.makepyfile(
        """
        from ticketmail import Message

        def test_both(fake_clock, ticketmail_memory):
            before = fake_clock.now_us()
            fake_clock.advance(2)
            assert fake_clock.now_us() == before + 2_000_000
            ticketmail_memory.mail.submit(Message(sender="a@example.com", to="b@example.net", subject="s", text="t"))
            ticketmail_memory.run_until_idle()
            assert [view.recipient for view in ticketmail_memory.sent] == ["b@example.net"]
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_contract_test_that_is_overridden_fails(project: pytest.Pytester) -> None:
    project.makepyfile(_SPOOL + f"\n    def {_EMPTY}(self):\n        pass\n")
    done = project.runpytest_subprocess("-k", "nothing_handed_over or log_lists")
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["*test_nothing_handed_over_is_nothing_stored is overridden; mark it xfail with a reason*"])


def test_a_known_fault_is_marked_with_its_reason(project: pytest.Pytester) -> None:
    known = f"\n    @pytest.mark.xfail(reason='issue 7')\n    def {_EMPTY}(self):\n        raise OSError\n"
    project.makepyfile(_SPOOL + known)
    project.runpytest_subprocess("-k", "nothing_handed_over or log_lists").assert_outcomes(xfailed=1, passed=1)


def test_an_xfail_without_a_reason_excuses_nothing(project: pytest.Pytester) -> None:
    silent = f"\n    @pytest.mark.xfail\n    def {_EMPTY}(self):\n        raise OSError\n"
    project.makepyfile(_SPOOL + silent)
    done = project.runpytest_subprocess("-k", "log_lists")
    done.assert_outcomes(errors=1)
