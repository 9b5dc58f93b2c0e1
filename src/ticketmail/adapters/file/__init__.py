"""``file:///dir``: each mail becomes a file that mail programs open, and mails nobody.

``ID-HASH.eml`` holds the mail as it is, ``ID-HASH.json`` beside it the envelope. HASH stands for the recipients, so that sending
the same mail to the same recipients twice makes one file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Reply, Taken
from ticketmail.domain.ports.sending import Gateway, GatewayCapabilities, GatewayOptions, OnBody, Outgoing

__all__ = ["FileGateway", "create"]


class FileGateway:
    """Writes into ``directory``, made at the first mail. A mail is there whole or not at all: temporary name, fsync, rename."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"FileGateway({str(self._directory)!r})"

    @property
    def capabilities(self) -> GatewayCapabilities:
        return GatewayCapabilities(network=False, idempotency_key=True)

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        await on_body(tuple(range(len(mail.recipients))))
        outcome: Outcome
        try:
            name = await asyncio.to_thread(_write_mail, self._directory, mail)
            outcome = Taken(remote_id=name, reply=Reply(250, f"written to {name}", "2.0.0"))
        except OSError as error:
            outcome = NotReached(f"cannot write to {self._directory}: {error.strerror or error}", Phase.BODY)
        return [outcome] * len(mail.recipients)

    async def check(self) -> str:
        """Raises OSError if nothing can be written."""
        await asyncio.to_thread(_probe, self._directory)
        return f"Mails become files in {self._directory}; nobody is mailed."

    async def aclose(self) -> None:
        """Nothing is open."""


def create(url: str, options: GatewayOptions) -> Gateway:
    """The entry point ``file``. Raises SettingsError if the URL names no absolute directory."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not parts.path or not path.is_absolute() or path == Path("/"):
        raise SettingsError(
            f"{url!r} names no directory.", name=options.account, remedy="Write file:///absolute/directory (three slashes)."
        )
    return FileGateway(path)


def _write_mail(directory: Path, mail: Outgoing) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    recipients = hashlib.sha256("\n".join(mail.recipients).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem = f"{mail.submission_id.hex}-{recipients}"
    # The envelope first: a mail that is there has its envelope.
    _write_whole(directory, f"{stem}.json", _envelope(mail))
    _write_whole(directory, f"{stem}.eml", mail.mime)
    _sync_directory(directory)
    return f"{stem}.eml"


def _envelope(mail: Outgoing) -> bytes:
    envelope = {
        "submission_id": str(mail.submission_id),
        "message_id": mail.message_id,
        "return_path": mail.return_path,
        "recipients": mail.recipients,
        "lane": mail.lane,
        "ticket": mail.ticket,
        "key": mail.key,
    }
    return json.dumps(envelope, indent=2).encode() + b"\n"


def _write_whole(directory: Path, name: str, content: bytes) -> None:
    temporary = directory / f".{name}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / name)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _probe(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    probe = directory / f".probe.{os.getpid()}"
    probe.write_bytes(b"")
    probe.unlink()
