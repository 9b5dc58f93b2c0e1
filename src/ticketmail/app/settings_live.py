"""Settings whose accounts and mailboxes a host may change while we run: its callables are asked again and again, what they say is
checked, and what cannot be used is left out and told. Secrets are in no text from here."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ticketmail.app.settings import Settings
from ticketmail.app.settings_source import LoadedSettings, parse_account, parse_mailbox
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.hosting import Accounts

_log = logging.getLogger("ticketmail.accounts")
#: A submitting process asks again after this (seconds); workers ask more often.
FRESH_S = 30.0
#: What a host may bring: how one is checked.
_PARSE: Mapping[str, Callable[[str, object, Settings], Any]] = {"accounts": parse_account, "mailboxes": parse_mailbox}


class LiveSettings:
    """Thread-safe: what is in force is swapped in one assignment, and two threads that ask at once only ask twice.

    ``hosts`` are its callables by what they give: ``accounts``, ``mailboxes``. ``trouble`` is what is wrong with what the host
    said: by account (``mailboxes.M`` by mailbox), and under '' (``mailboxes``) with the callable itself.
    """

    def __init__(self, loaded: LoadedSettings, hosts: Mapping[str, Accounts]) -> None:
        self._base = loaded
        self._hosts = hosts
        self._now = loaded
        self._asked_s: float | None = None
        self._asking_pid: int | None = None
        self._heard: set[str] = set()
        self.trouble: Mapping[str, str] = {}

    def brings(self, kind: str) -> bool:
        """Whether there is a callable to ask for ``accounts`` or ``mailboxes``."""
        return kind in self._hosts

    @property
    def loaded(self) -> LoadedSettings:
        """What is in force, with sources. Asks nobody."""
        return self._now

    @property
    def settings(self) -> Settings:
        """What is in force. Asks nobody."""
        return self._now.settings

    def stale(self) -> bool:
        """Whether the host should be asked (again). Not while another thread of this process asks it: a callable that hangs holds
        up that one."""
        if not self._hosts or self._asking_pid == os.getpid():
            return False
        return self._asked_s is None or time.monotonic() - self._asked_s >= FRESH_S

    def refresh(self) -> bool:
        """Ask the host. True if anything has changed. Never raises: see ``trouble``."""
        if not self._hosts:
            return False
        self._asked_s, self._asking_pid = time.monotonic(), os.getpid()
        try:
            return self._refreshed()
        finally:
            self._asking_pid = None

    def _refreshed(self) -> bool:
        found, trouble = dict[str, dict[str, Any]](), dict[str, str]()
        for kind, ask in self._hosts.items():
            found[kind] = self._asked(kind, ask, trouble)
        self._complain(trouble)
        if all(getattr(self._now.settings, kind) == now for kind, now in found.items()):
            return False
        theirs = {
            f"{kind}.{name}": f"the host's {kind}"
            for kind, now in found.items()
            for name, one in now.items()
            if one is not getattr(self._base.settings, kind).get(name)
        }
        settings = self._base.settings.model_copy(update=found)
        self._now = LoadedSettings(settings, {**self._base.sources, **theirs}, self._base.path)
        return True

    def _asked(self, kind: str, ask: Accounts, trouble: dict[str, str]) -> dict[str, Any]:
        """All of a kind as they are now: those of the settings, and over them what the host says and can be used."""
        before = getattr(self._now.settings, kind)
        prefix = "" if kind == "accounts" else f"{kind}."
        try:
            given = dict(ask())
        except Exception as error:  # whatever a host's tables do, mail by what is known goes on
            # Only its type: a database's words may hold a password.
            rest = "the last list stays in force" if kind in self._heard else "this process has not seen a list of them yet"
            text = f"The host's {kind} cannot be read ({type(error).__name__}); {rest}."
            trouble[prefix.rstrip(".")] = text
            return dict(before)
        self._heard.add(kind)
        found = dict(getattr(self._base.settings, kind))
        for name, one in given.items():
            try:
                found[name] = self._checked(kind, name, one)
            except SettingsError as error:
                trouble[f"{prefix}{name}"] = str(error)
                if name in before:
                    found[name] = before[name]
        return found

    def _checked(self, kind: str, name: object, given: object) -> Any:
        if not isinstance(name, str):
            raise SettingsError("A name is a text.", name=kind)
        return _PARSE[kind](name, given, self._base.settings)

    def _complain(self, trouble: Mapping[str, str]) -> None:
        for name, text in trouble.items():
            if self.trouble.get(name) != text:
                _log.error("%s", text)
        self.trouble = trouble
