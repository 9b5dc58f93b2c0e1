"""Word to systemd, over real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ticketmail.app.notify import Notifier, notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    named = f"{tmp_path}/notify" if request.param == "path" else f"@ticketmail-{uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(named.replace("@", "\0", 1) if named.startswith("@") else named)
        listener.settimeout(5)
        yield named, listener


def test_each_word_is_one_datagram(manager: tuple[str, socket.socket]) -> None:
    named, listener = manager
    told = Notifier({"NOTIFY_SOCKET": named})
    assert [told.ready("sending"), told.alive(), told.stopping(), told.status("3 in flight"), told.extend(2.5)] == [True] * 5
    assert [listener.recv(200) for _ in range(5)] == [
        b"READY=1\nSTATUS=sending",
        b"WATCHDOG=1",
        b"STOPPING=1",
        b"STATUS=3 in flight",
        b"EXTEND_TIMEOUT_USEC=2500000",
    ]


def test_a_status_cannot_smuggle_an_assignment_in(manager: tuple[str, socket.socket]) -> None:
    named, listener = manager
    Notifier({"NOTIFY_SOCKET": named}).status("bad\nSTOPPING=1")
    assert listener.recv(200) == b"STATUS=bad STOPPING=1"


def test_the_function_sends_what_it_is_given(manager: tuple[str, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    named, listener = manager
    monkeypatch.setenv("NOTIFY_SOCKET", named)
    notify("WATCHDOG=1\nSTATUS=sent 3")
    assert listener.recv(200) == b"WATCHDOG=1\nSTATUS=sent 3"


def test_without_a_socket_nothing_happens() -> None:
    told = Notifier({})
    assert (told.wanted, told.ready(), told.watchdog_s) == (False, False, None)


def test_a_manager_that_has_gone_is_no_error(tmp_path: Path) -> None:
    assert Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready() is False


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 10.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "nonsense"}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time_and_only_by_whom_it_watches(more: dict[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/x", **more}).watchdog_s == seconds
