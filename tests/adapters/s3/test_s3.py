"""S3, as moto's server plays it, keeps the shipped contract of stores for large content."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from ticketmail.adapters.s3 import create
from ticketmail.domain.errors import BlobStoreError, SettingsError
from ticketmail.testing.shared_blobs_contract import MakeStore, SharedBlobsContract


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The server's URL."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL of a bucket of the test's own."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    name = f"t{uuid.uuid4().hex}"
    boto3.client("s3", region_name="us-east-1", endpoint_url=s3).create_bucket(Bucket=name)
    return f"s3://{name}/mail?region=us-east-1&endpoint_url={s3}"


class TestS3(SharedBlobsContract):
    @pytest.fixture
    def make_store(self, bucket: str) -> MakeStore:
        return lambda: create(bucket)


def test_other_objects_of_the_bucket_are_left_alone(bucket: str) -> None:
    other = create(bucket.replace("/mail?", "/other?"))
    digest = other.put("", b"x")

    assert create(bucket).sweep(0) == 0
    assert other.get("", digest) == b"x"


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises(BlobStoreError, match="NoSuchBucket") as caught:
        create(bucket.replace("s3://t", "s3://no")).put("", b"x")
    assert "canary" not in str(caught.value)


def test_a_server_that_is_away_is_told(bucket: str) -> None:
    with pytest.raises(BlobStoreError, match="S3 cannot be used"):
        create("s3://bucket?region=us-east-1&endpoint_url=http://127.0.0.1:9").put("", b"x")


@pytest.mark.parametrize("url", ["s3://", "s3://bucket?acl=public"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"broker\.blobs"):
        create(url)
