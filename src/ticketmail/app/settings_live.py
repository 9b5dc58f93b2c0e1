"""Settings whose accounts a host may change while we run: its callable is asked again and again, what it says is checked, and
what cannot be used is left out and told. Secrets are in no text from here."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from ticketmail.app.settings import AccountSettings, Settings
from ticketmail.app.settings_source import LoadedSettings, parse_account
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.hosting import Accounts

_log = logging.getLogger("ticketmail.accounts")
#: A submitting process asks again after this (seconds); workers ask more often.
FRESH_S = 30.0
_SOURCE = "the host's accounts"


class LiveSettings:
    """Thread-safe: what is in force is swapped in one assignment, and two threads that ask at once only ask twice.

    ``trouble`` is what is wrong with what the host said: by account, and under '' with the callable itself.
    """

    def __init__(self, loaded: LoadedSettings, accounts: Accounts | None) -> None:
        self._base = loaded
        self._accounts = accounts
        self._now = loaded
        self._asked_s: float | None = None
        self.trouble: Mapping[str, str] = {}

    @property
    def dynamic(self) -> bool:
        """Whether there is a callable to ask."""
        return self._accounts is not None

    @property
    def loaded(self) -> LoadedSettings:
        """What is in force, with sources. Asks nobody."""
        return self._now

    @property
    def settings(self) -> Settings:
        """What is in force. Asks nobody."""
        return self._now.settings

    def stale(self) -> bool:
        """Whether the host should be asked (again)."""
        return self.dynamic and (self._asked_s is None or time.monotonic() - self._asked_s >= FRESH_S)

    def refresh(self) -> bool:
        """Ask the host. True if accounts have changed. Never raises: see ``trouble``."""
        if self._accounts is None:
            return False
        self._asked_s = time.monotonic()
        try:
            given = dict(self._accounts())
        except Exception as error:  # whatever a host's tables do, mail by the accounts that are known goes on
            # Only its type: a database's words may hold a password.
            self._complain({"": f"The host's accounts cannot be read ({type(error).__name__}); the last list stays in force."})
            return False
        before = self._now.settings.accounts
        found, trouble = dict(self._base.settings.accounts), dict[str, str]()
        for name, one in given.items():
            try:
                found[name] = self._checked(name, one)
            except SettingsError as error:
                trouble[str(name)] = str(error)
                if name in before:
                    found[name] = before[name]
        self._complain(trouble)
        if found == before:
            return False
        sources = {**self._base.sources, **{f"accounts.{name}": _SOURCE for name in given}}
        self._now = LoadedSettings(self._base.settings.model_copy(update={"accounts": found}), sources, self._base.path)
        return True

    def _checked(self, name: object, given: object) -> AccountSettings:
        if not isinstance(name, str):
            raise SettingsError("The name of an account is a text.", name="accounts")
        return parse_account(name, given, self._base.settings)

    def _complain(self, trouble: Mapping[str, str]) -> None:
        for name, text in trouble.items():
            if self.trouble.get(name) != text:
                _log.error("%s", text)
        self.trouble = trouble
