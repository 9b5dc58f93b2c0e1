"""A shared folder keeps the shipped contract of stores for large content."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ticketmail.adapters.file.blobs import create
from ticketmail.domain.errors import BlobStoreError, SettingsError
from ticketmail.testing.shared_blobs_contract import Age, MakeStore, SharedBlobsContract


class TestFolder(SharedBlobsContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return lambda: create(f"file://{tmp_path}/with%20blank")

    @pytest.fixture
    def age(self, tmp_path: Path) -> Age:
        def age(seconds: float) -> None:
            then = time.time() - seconds
            for path in tmp_path.glob("*/*/*"):
                os.utime(path, (then, then))

        return age


@pytest.mark.parametrize("url", ["file://host/dir", "file://", "file:///"])
def test_what_is_no_folder_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"broker\.blobs"):
        create(url)


def test_content_that_was_changed_is_told(tmp_path: Path) -> None:
    store = create(f"file://{tmp_path}")
    digest = store.put("", b"content")
    (path,) = tmp_path.glob("*/*")
    path.write_bytes(b"changed")

    with pytest.raises(BlobStoreError, match="corrupt"):
        store.get("", digest)


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BlobStoreError, match="shared folder"):
        create(f"file://{tmp_path}/file").put("", b"x")


def test_what_a_sweep_has_in_hand_is_found_and_can_be_put(tmp_path: Path) -> None:
    store = create(f"file://{tmp_path}")
    digest = store.put("", b"x")
    (path,) = tmp_path.glob("*/*")
    path.rename(path.with_suffix(".swept"))

    assert store.get("", digest) == b"x"
    store.put("", b"x")
    assert path.exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(BlobStoreError, match="mounted"):
        create("file:///proc/no-such-mount/transit").put("", b"content")
