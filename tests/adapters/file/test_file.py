"""file:// keeps the gateway contract; its files are whole, and say who the mail was for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ticketmail.adapters.file import create
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.outcome import NotReached
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import CannotPlay, GatewayContract, MakeGateway, no_matter, outgoing


class Directory:
    """The other side of file://."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def taken(self) -> Sequence[tuple[str, frozenset[str], bytes]]:
        mails = []
        for file in self.path.glob("*.eml"):
            envelope = json.loads(file.with_suffix(".json").read_text())
            mails.append((envelope["return_path"], frozenset(envelope["recipients"]), file.read_bytes()))
        return mails

    def refuse_recipient(self, address: str) -> None:
        raise CannotPlay("a directory refuses nobody")

    def refuse_all(self) -> None:
        raise CannotPlay("a directory refuses nobody")

    def cut_before_body(self) -> None:
        raise CannotPlay("there is no connection")

    hang_before_body = cut_after_taking = hang_after_taking = cut_before_body

    def heal(self) -> None:
        pass

    async def vanish(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.write_text("a file where the directory should be")


class TestFileContract(GatewayContract):
    @pytest.fixture
    def server(self, tmp_path: Path) -> Directory:
        return Directory(tmp_path / "mails")

    @pytest.fixture
    def make_gateway(self, server: Directory) -> MakeGateway:
        return lambda **_: create(f"file://{server.path}", GatewayOptions())


async def test_the_same_mail_to_the_same_recipients_is_one_file(tmp_path: Path) -> None:
    gateway = create(f"file://{tmp_path}", GatewayOptions())
    mail = outgoing("ann@example.net")

    await gateway.send(mail, on_body=no_matter)
    await gateway.send(mail, on_body=no_matter)

    assert len(list(tmp_path.glob("*.eml"))) == 1


async def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    await create(f"file://{tmp_path}", GatewayOptions()).send(outgoing(), on_body=no_matter)

    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".eml", ".json"]


async def test_a_directory_that_cannot_be_made_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    (outcome,) = await create(f"file://{tmp_path}/file/below", GatewayOptions()).send(outgoing(), on_body=no_matter)

    assert isinstance(outcome, NotReached)
    assert f"{tmp_path}/file/below" in outcome.error


@pytest.mark.parametrize("url", ["file://", "file:///", "file://relative/dir"])
def test_a_url_without_an_absolute_directory_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="three slashes"):
        create(url, GatewayOptions())
