"""db upgrade, check, ddl, export, drop."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path

import pytest

from ticketmail.app.cli import tables


def test_upgrade_makes_the_tables_once(desk, tmp_path: Path) -> None:
    for look in (("db", "check"), ("db", "upgrade", "--check")):
        ran = desk.run(*look)
        assert (ran.code, "Run `ticketmail db upgrade`." in ran.out) == (2, True)
    assert not list(tmp_path.glob("spool.db*"))
    ran = desk.run("db", "upgrade")
    assert ran.code == 0
    assert ran.out != "Nothing to do.\n"
    assert desk.run("db", "upgrade").out == "Nothing to do.\n"
    assert desk.run("db", "upgrade", "--json").json == {"done": []}
    assert desk.run("db", "check").out == "Tables and database are well.\n"
    assert desk.run("db", "upgrade", "--check").code == 0


@pytest.mark.parametrize("argv", [["db", "ddl"], ["db", "ddl", "--sql"], ["db", "upgrade", "--sql"]], ids=" ".join)
def test_the_sql_is_printed_as_sql_and_runs(desk, argv: list[str], tmp_path: Path) -> None:
    ran = desk.run(*argv)
    assert ran.code == 0
    connection = sqlite3.connect(":memory:")
    connection.executescript(ran.out)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert {"ticketmail_submission", "ticketmail_delivery"} <= names
    assert not (tmp_path / "spool.db").exists() or desk.run("db", "check").code in (0, 2)


def test_export_is_a_json_object_a_line_over_all_pages(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PAGE", 2)
    ids = {str(desk.submit(f"{name}@example.net")) for name in ("ann", "bob", "cid")}
    lines = [json.loads(line) for line in desk.run("db", "export").out.splitlines()]
    assert {line["delivery"]["submission_id"] for line in lines} == ids
    assert all(line["history"][0]["kind"] == "accepted" and "body" not in line for line in lines)
    [line] = desk.run("db", "export", "to:ann@example.net", "--bodies", "--since", "1h").out.splitlines()
    assert "Your printer" in base64.b64decode(json.loads(line)["body"]).decode()


def test_export_refuses_a_naive_time(desk) -> None:
    assert "has no offset" in desk.run("db", "export", "--since", "2026-11-24T10:00").err


def test_drop_asks_first(desk) -> None:
    desk.submit()
    ran = desk.run("db", "drop")
    assert ran.code == 2
    assert "with all mail in them? Nothing was done. Add --yes." in ran.err
    assert desk.run("find", "all").code == 0
    assert desk.run("db", "drop", "--yes").out == "Dropped.\n"
    assert desk.run("find", "all").code == 1
