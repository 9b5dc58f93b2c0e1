"""Passwords and keys are planted everywhere, then everything goes wrong, then every word that anybody could read is searched."""

from __future__ import annotations

import json
import signal
import traceback
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chaos.canary import Canary
from chaos.harness import Site, until
from ticketmail import DeliveryState, Message, TicketMail, TicketmailError
from ticketmail.app.wiring.sending import open_gateways

COMMANDS = (
    "status",
    "why all",
    "find all",
    "log --since 1h --all",
    "workers --all",
    "settings",
    "doctor",
    "doctor --probe",
    "dead list",
    "accounts list",
    "suppressions list",
    "unknowns list",
    "db check",
    "db ddl",
    "db export --bodies",
)


@pytest.mark.timeout(180)
def test_no_secret_is_seen_again_when_everything_goes_wrong(tmp_path: Path) -> None:
    """A login that is refused, a server that is not there, a webhook that fails: the words about them hold no secret."""
    spool = f"sqlite:///{tmp_path}/site/spool.db"
    hook = Canary()
    more = f'[alerts]\nwebhook = "http://127.0.0.1:9/{hook.in_url}"\nwebhook_secret = "{hook.secret}"\n'
    more += f'[accounts.gone]\nurl = "smtps://desk:{hook.in_url}@127.0.0.1:9"\n'
    more += '[routes]\n"gone@example.com" = ["gone"]\n"*" = ["desk"]\n'
    with Site(tmp_path / "site", spool, dot_delay_s=0.0, more=more) as site:
        right, site.password = site.password, Canary()
        site.write_settings()  # from here on the login is wrong
        planted = [right, site.password, site.secret, hook]
        _hand_over(site, "help@example.com")
        _hand_over(site, "gone@example.com")
        site.workers[0].start()
        until(lambda: _trouble(site) == {"desk", "gone"}, 60, f"both accounts are in trouble; {site.workers[0].said()}")
        texts = {command: site.command(*command.split())[1] for command in COMMANDS}
        texts |= {f"{command} --json": site.command(*command.split(), "--json")[1] for command in COMMANDS}
        texts |= {f"{command} --debug": site.command("--debug", *command.split())[1] for command in COMMANDS}
        texts |= {page: _page(site, page) for page in ("metrics", "healthz", "readyz")}
        site.workers[0].send(signal.SIGTERM)
        assert site.workers[0].wait(30) == 0
        texts |= {str(path): path.read_text(errors="replace") for path in site.logs.iterdir()}
        texts |= {str(path): path.read_bytes().decode("latin-1") for path in site.directory.glob("spool.db*") if path.is_file()}
        assert [(name, text) for name, text in texts.items() if any(canary.seen_in(text) for canary in planted)] == []


def test_no_secret_is_seen_in_a_repr_or_a_refusal(tmp_path: Path) -> None:
    canary = Canary()
    account = f"smtp://desk:{canary.in_url}@127.0.0.1:9"
    good = {
        "spool": f"postgresql://desk:{canary.in_url}@127.0.0.1:9/desk",
        "accounts": {"desk": account},
        "secret": canary.secret,
    }
    mail = TicketMail(settings=good)
    words = [repr(mail), repr(mail.settings), str(mail.settings), repr(mail.loaded), mail.settings.model_dump_json()]
    words += [json.dumps(mail.loaded.explain()), repr(mail.settings.accounts["desk"])]
    words.append(_refusal(lambda: mail.submit(Message(sender="a@example.com", to="b@example.net", subject="s", text="t"))))
    bad = (
        {"accounts": {"desk": {"url": account, "gateway": "both"}}},
        {"accounts": {"desk": {"url": account, "connections": "many"}}},
        {"accounts": {"desk": account.replace("smtp:", "smpt:")}},
        {"accounts": {"desk": account.replace(":9", ":no-port")}},
        {"accounts": {"desk": account}, "secret": canary.secret[:8]},
        {"spool": good["spool"].replace("postgresql", "postgersql"), "accounts": {"desk": account}},
    )
    words += [_refusal(lambda settings=settings: _use(settings, tmp_path)) for settings in bad]
    assert [word for word in words if canary.seen_in(word)] == []


def test_the_search_itself_would_find_a_secret() -> None:
    canary = Canary()
    assert canary.seen_in(f"535 login of desk with {canary.secret} failed")
    assert canary.seen_in(f"cannot connect to smtp://desk:{canary.in_url}@host")
    assert not canary.seen_in("smtp://desk:***@host")


def _mail() -> Message:
    return Message(sender="a@example.com", to="b@example.net", subject="s", text="t")


def _use(settings: dict[str, object], directory: Path) -> None:
    """What a host and a worker do with settings, up to the first byte."""
    with TicketMail(settings={"spool": f"sqlite:///{directory}/spool.db", **settings}) as mail:
        mail.submit(_mail())
        open_gateways(mail.settings)


def _refusal(call: object) -> str:
    """All that a traceback would print."""
    try:
        call()  # type: ignore[operator]
    except (TicketmailError, ValueError, OSError) as error:
        return "".join(traceback.format_exception(error)) + repr(error)
    raise AssertionError("was not refused")


def _hand_over(site: Site, sender: str) -> None:
    with site.mail() as mail:
        for number in range(3):
            mail.submit(
                Message(sender=sender, to=f"{number}@example.net", subject="Hello", text="Hello."), key=f"{sender}{number}"
            )


def _trouble(site: Site) -> set[str]:
    """Accounts by which something was tried in vain."""
    with site.mail() as mail:
        rows = [row for view in site.views(DeliveryState.QUEUED) for row in mail.reading.history(view.submission_id)]
    return {row.account for row in rows if row.kind == "attempt" and row.ended_us}


def _page(site: Site, page: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.http}/{page}", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())
