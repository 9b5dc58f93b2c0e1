"""``s3://bucket/prefix`` as the store of large content that host and mail service share: Amazon S3, or what speaks like it.

Credentials come from where boto3 looks for them. ``?endpoint_url=``, ``?region=`` name another server or region. A rule of the
bucket that expires objects may sweep it instead of us: it must be longer than any outage.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from ticketmail.domain.errors import BlobCorrupt, BlobStoreError, SettingsError
from ticketmail.domain.ports.sharing import SharedBlobs

_PREFIX: Final = "sha256:"
#: Objects of one call (S3 API, DeleteObjects).
_PAGE: Final = 1000
_MISSING: Final = frozenset({"NoSuchKey", "404"})


class S3Blobs:
    """Objects ``PREFIX/TENANT/DIGEST``. A put is confirmed by S3's answer; the same content again renews the object's age.
    Clients are kept by process and thread: boto3's sessions are not thread-safe."""

    def __init__(self, bucket: str, prefix: str, options: dict[str, str]) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._options = options
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"S3Blobs({self._bucket!r})"

    def put(self, tenant: str, content: bytes) -> str:
        """See ``SharedBlobs.put``."""
        digest = hashlib.sha256(content).hexdigest()
        with _translated():
            self._client.put_object(Bucket=self._bucket, Key=self._key(tenant, digest), Body=content)
        return _PREFIX + digest

    def get(self, tenant: str, digest: str) -> bytes:
        """See ``SharedBlobs.get``."""
        with _translated():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(tenant, digest.removeprefix(_PREFIX)))
            except aws.ClientError as error:
                if error.response["Error"]["Code"] not in _MISSING:
                    raise
                raise KeyError(digest) from None
            content = bytes(answer["Body"].read())
        if _PREFIX + hashlib.sha256(content).hexdigest() != digest:
            raise BlobCorrupt(f"The content {digest} is corrupt: its hash does not fit.")
        return content

    def sweep(self, older_than_s: float) -> int:
        """See ``SharedBlobs.sweep``."""
        oldest, count = datetime.now(UTC) - timedelta(seconds=older_than_s), 0
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                old = [{"Key": one["Key"]} for one in page.get("Contents", ()) if one["LastModified"] <= oldest]
                for at in range(0, len(old), _PAGE):
                    self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": old[at : at + _PAGE], "Quiet": True})
                count += len(old)
        return count

    def close(self) -> None:
        """See ``SharedBlobs.close``."""
        self._local = threading.local()

    @property
    def _client(self) -> Any:
        pid, found = getattr(self._local, "client", (0, None))
        if pid != os.getpid():  # the parent's sockets are not to be used
            config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3})
            found = boto3.session.Session().client("s3", config=config, **self._options)
            self._local.client = os.getpid(), found
        return found

    def _key(self, tenant: str, digest: str) -> str:
        return f"{self._prefix}{hashlib.sha256(tenant.encode()).hexdigest()[:32]}/{digest}"


def create(url: str) -> SharedBlobs:
    """The bucket of ``s3://bucket/prefix?region=...&endpoint_url=...``. Raises SettingsError."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise SettingsError("An S3 URL names a bucket.", name="broker.blobs", remedy="Write s3://bucket/prefix.")
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    options = {"region_name": asked.pop("region", ""), "endpoint_url": asked.pop("endpoint_url", "")}
    if asked:
        raise SettingsError(f"S3 has no {sorted(asked)[0]!r}.", name="broker.blobs", remedy="Known: region, endpoint_url.")
    prefix = parts.path.strip("/")
    return S3Blobs(parts.hostname, f"{prefix}/" if prefix else "", {name: value for name, value in options.items() if value})


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except aws.ClientError as error:
        said = error.response.get("Error", {})
        raise BlobStoreError(f"S3 refuses it: {said.get('Code', '?')} {said.get('Message', '')}.") from error
    except (aws.BotoCoreError, OSError) as error:
        if isinstance(error, BlobStoreError):
            raise
        raise BlobStoreError(f"S3 cannot be used ({type(error).__name__}).", remedy="Check credentials and network.") from error
