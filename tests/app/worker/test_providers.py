"""Whole workers at providers' APIs: nobody told them a limit, the provider's own word is kept to, and nothing is refused."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path

import pytest

from app.worker.scene import all_in, letter, until, views, working
from ticketmail import TicketMail
from ticketmail.app.cli import main
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.testing.scripted_http import HttpAnswer, HttpRequest, ScriptedServer

KEY = "SG.key-of-nobody"


class Windowed:
    """Takes ``limit`` requests in each window of ``window_s``, says in headers what is left, and counts what it refuses."""

    def __init__(self, prefix: str, *, since_1970: bool, limit: int, window_s: float) -> None:
        self.limit = limit
        self.windows: list[int] = []  #: taken in each
        self.refused = 0
        self._prefix, self._since_1970, self._window_s = prefix, since_1970, window_s
        self._ends_s = 0.0

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        now_s = time.time()
        if now_s >= self._ends_s:
            # A header has whole seconds: the window ends when it says so.
            self._ends_s = math.ceil(now_s + self._window_s)
            self.windows.append(0)
        allowed = self.windows[-1] < self.limit
        self.windows[-1] += allowed
        reset_s = self._ends_s if self._since_1970 else math.ceil(self._ends_s - now_s)
        headers = {"Limit": self.limit, "Remaining": self.limit - self.windows[-1], "Reset": int(reset_s)}
        fields = tuple((f"{self._prefix}{name}", str(value)) for name, value in headers.items())
        if not allowed:
            self.refused += 1
            return HttpAnswer(429, b'{"errors":[{"message":"too many requests","field":null,"help":null}]}', fields)
        status, body = (202, b"") if self._since_1970 else (200, b'{"id":"49a3999c"}')
        return HttpAnswer(status, body, (("X-Message-Id", "14c5d75ce93"), *fields))


class Ses:
    """Takes ``most`` recipients a day, can be asked, and refuses what is too much."""

    def __init__(self, most: int, sent: int) -> None:
        self.most, self.sent, self.refused = most, sent, 0

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        if request.method == "GET":
            said = {"Max24HourSend": float(self.most), "MaxSendRate": 14.0, "SentLast24Hours": float(self.sent)}
            return HttpAnswer(200, json.dumps({"SendQuota": said, "SendingEnabled": True}).encode())
        if self.sent >= self.most:
            self.refused += 1
            error = (("x-amzn-ErrorType", "ThrottlingException"),)
            return HttpAnswer(400, b'{"message":"Daily message quota exceeded."}', error)
        self.sent += 1
        return HttpAnswer(200, json.dumps({"MessageId": f"0102-{self.sent}"}).encode())


def settings_of(tmp_path: Path, **account: str) -> Path:
    """A user's file."""
    lines = [
        f'spool = "sqlite:///{tmp_path}/spool.db"',
        "[accounts.support]",
        *(f'{name} = "{of}"' for name, of in account.items()),
    ]
    path = tmp_path / "ticketmail.toml"
    path.write_text("\n".join(lines))
    return path


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    main(list(argv))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("scheme", "prefix", "since_1970"), [("sendgrid", "X-RateLimit-", True), ("resend", "ratelimit-", False)]
)
async def test_what_the_provider_says_is_left_is_sent_and_the_rest_after_its_reset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scheme: str, prefix: str, since_1970: bool
) -> None:
    provider = Windowed(prefix, since_1970=since_1970, limit=6, window_s=2)
    async with ScriptedServer(respond=provider) as http:
        file = settings_of(tmp_path, url=http.url.replace("http", scheme), password=KEY, profile=f"{scheme}-api", connections="1")
        with TicketMail(settings=str(file)) as mail:
            async with working(mail):
                await mail.asubmit(letter())
                await until(lambda: b"told" in mail.reading.documents("account").get("support", b""))
                for number in range(9):
                    await mail.asubmit(letter(f"c{number}@example.net"))
                await until(lambda: "told by the provider: 0 of 6 left until" in shown(capsys, "--settings", str(file), "limits"))
                await until(all_in(mail, DeliveryState.SENT))
            found = views(mail)

    assert provider.refused == 0
    assert sum(provider.windows) == len(found) == 10
    assert {one.attempts for one in found} == {1}
    assert KEY not in shown(capsys, "--settings", str(file), "settings")


async def test_the_quota_that_ses_tells_when_asked_holds_the_account_before_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ticketmail.app.worker.ASK_EVERY_S", 0.05)
    monkeypatch.setattr("ticketmail.app.usecases.quota_calls.EVERY_S", 0.1)
    provider = Ses(most=200, sent=198)
    async with ScriptedServer(respond=provider) as http:
        url = http.url.replace("http", "ses") + "?region=eu-central-1"
        file = settings_of(tmp_path, url=url, user="AKIDEXAMPLE", password=KEY, profile="ses-api")
        with TicketMail(settings=str(file)) as mail:
            for number in range(5):
                await mail.asubmit(letter(f"c{number}@example.net"))
            async with working(mail):
                await until(lambda: provider.sent == 200)
                limits = shown(capsys, "--settings", str(file), "limits")
                waiting = [one for one in views(mail) if one.state is DeliveryState.QUEUED]
                (why,) = mail.why(waiting[0].submission_id)
                provider.sent = 150  # of the last 24 hours
                await until(all_in(mail, DeliveryState.SENT))

    assert provider.refused == 0
    assert provider.sent == 153
    assert {one.attempts for one in waiting} == {0}
    assert "told by the provider: 0 of 200 left until" in limits
    assert "the provider said that no more mail goes until its reset" in why.holds[0].text


async def test_a_mail_whose_answer_was_lost_goes_to_resend_again_as_the_same(tmp_path: Path) -> None:
    async with ScriptedServer(respond=lambda request: HttpAnswer(200, b'{"id":"49a3999c"}')) as http:
        http.cut(after_body=True)
        accounts = {"support": {"url": http.url.replace("http", "resend"), "password": KEY, "profile": "resend-api"}}
        given = {"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": accounts, "unknown": {"evidence_after": ["100ms"]}}
        with TicketMail(settings=given) as mail:
            await mail.asubmit(letter(("ann@example.net", "bob@example.net")))
            async with working(mail):
                await until(all_in(mail, DeliveryState.SENT))

    first, second = http.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


async def test_doctor_asks_the_provider_and_names_the_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ScriptedServer() as http:
        http.answer(200, json={"scopes": ["mail.send"]})
        http.answer(401, json={"errors": [{"message": "authorization required", "field": None}]})
        file = settings_of(tmp_path, url=http.url.replace("http", "sendgrid"), password=KEY)
        good = await asyncio.to_thread(shown, capsys, "--settings", str(file), "doctor")
        bad = await asyncio.to_thread(shown, capsys, "--settings", str(file), "doctor")

    assert "sendgrid://127.0.0.1 answers. The key may send mail." in good
    assert "answers 401 authorization required" in bad
    assert "Correct user, password or token" in bad
    assert KEY not in good + bad
