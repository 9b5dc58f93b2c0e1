"""What travels on a broker: JSON with a version, an id that is the same whenever the same thing is sent, and, where both sides
know a secret, a signature. Never pickle.

``{"v":1,"kind":"submit","id":"...","at_us":...,"payload":{...},"sig":"hmac-sha256:..."}``. The signature (RFC 2104) covers every
byte before it. All of it is ASCII, so that every broker takes it as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args
from uuid import UUID

from pydantic import ValidationError

from ticketmail.domain.address import parse_address
from ticketmail.domain.errors import InvalidAddress, InvalidJob, InvalidScope, InvalidSubmission
from ticketmail.domain.scope import Scope
from ticketmail.domain.submission import Submission
from ticketmail.domain.texts import check_id

__all__ = [
    "CancelOrder",
    "JobKind",
    "Parcel",
    "SubmitOrder",
    "SuppressOrder",
    "cancel_from",
    "decode",
    "encode",
    "order_from",
    "payload_of",
    "spooled_from",
    "spooled_payload",
    "suppress_from",
]

#: ``submit``, ``cancel``, ``answer`` (a host's word on an event), ``suppress`` go to the mail service; ``event`` and ``spooled``
#: (jobs that are in the spool now) to the host.
JobKind = Literal["submit", "cancel", "answer", "suppress", "event", "spooled"]
VERSION: Final = 1
_SIGNED: Final = re.compile(rb',"sig":"hmac-sha256:([0-9a-f]{64})"\}\Z')
_UPGRADE: Final = "Upgrade the mail service to the release of its newest host."

#: From an older version to the next one; none yet. A newer host talks to an older service only within one version.
UPCASTERS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job, unpacked. ``at_us``: when it was handed over, by the host's clock (UTC microseconds)."""

    kind: JobKind
    job_id: UUID
    at_us: int
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """A submission with what its host has decided already: the id, and the Message-ID where it holds the secret.

    ``confirm``: the host keeps the job until it has our word, a ``spooled`` job. Large content may be in the store that both
    sides share: then the message has names in its place (see ``ticketmail.app.usecases.large``).
    """

    submission: Submission
    submission_id: UUID
    message_id: str | None = None
    traceparent: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel what was handed over before, in ``scope``, and has not begun. A scope ``id:`` may come before its submit."""

    scope: Scope
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class SuppressOrder:
    """Write no more to ``address`` (an ``Address.key``); ``lift``: again. ``tenant`` '' is all; ``until_us`` None: for good."""

    address: str
    actor: str
    reason: str
    tenant: str = ""
    until_us: int | None = None
    lift: bool = False


def encode(parcel: Parcel, *, secret: bytes | None = None) -> bytes:
    """``parcel`` as it travels, signed with ``secret`` if there is one. The same parcel gives the same bytes."""
    whole = {"v": VERSION, "kind": parcel.kind, "id": parcel.job_id.hex, "at_us": parcel.at_us, "payload": parcel.payload}
    plain = json.dumps(whole, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    if secret is None:
        return plain
    return plain[:-1] + b',"sig":"hmac-sha256:' + _signature(secret, plain[:-1]) + b'"}'


def decode(body: bytes, *, secrets: Sequence[bytes] = ()) -> Parcel:
    """What :func:`encode` made, by any release of the same or an older version.

    ``secrets``: with any, only jobs signed with one of them are taken.

    Raises:
        InvalidJob: not JSON, not a job, an unknown version, no or a wrong signature. Its text never quotes the job.
    """
    _check_signature(body, secrets)
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidJob("The job is not JSON.", remedy="Only ticketmail may publish on its queues.") from None
    if not isinstance(whole, dict):
        raise InvalidJob("The job is not a JSON object.", remedy="Only ticketmail may publish on its queues.")
    return _parcel(_upcast(whole))


def payload_of(order: SubmitOrder | CancelOrder | SuppressOrder) -> dict[str, Any]:
    """An order as the payload of its job; what is default is left out."""
    if isinstance(order, SubmitOrder):
        return _submit_payload(order)
    values = {one.name: getattr(order, one.name) for one in fields(order) if getattr(order, one.name) != one.default}
    return values | ({"scope": str(order.scope)} if isinstance(order, CancelOrder) else {})


def cancel_from(parcel: Parcel) -> CancelOrder:
    """The order of a ``cancel`` job. Raises InvalidJob."""
    values = _texts(parcel, "scope", "actor", "reason")
    try:
        return CancelOrder(Scope.parse(values["scope"]), values["actor"], values["reason"])
    except InvalidScope:
        raise InvalidJob("The job names no scope.", remedy=_UPGRADE) from None


def suppress_from(parcel: Parcel) -> SuppressOrder:
    """The order of a ``suppress`` job. Raises InvalidJob."""
    values = _texts(parcel, "address", "actor", "reason")
    payload = {"tenant": "", "until_us": None, "lift": False, **parcel.payload}
    tenant, until_us, lift = payload["tenant"], payload["until_us"], payload["lift"]
    if not isinstance(tenant, str) or not isinstance(lift, bool) or isinstance(until_us, bool):
        raise InvalidJob("The job's values are of the wrong kind.", remedy=_UPGRADE)
    if until_us is not None and not isinstance(until_us, int):
        raise InvalidJob("The job's end is no time.", remedy=_UPGRADE)
    try:
        key = parse_address(values["address"]).key
    except InvalidAddress:
        raise InvalidJob("The job names no address.", remedy=_UPGRADE) from None
    return SuppressOrder(key, values["actor"], values["reason"], tenant, until_us, lift)


def spooled_payload(job_ids: Sequence[UUID]) -> dict[str, Any]:
    """The payload of a ``spooled`` job: the service's word that these are in its spool."""
    return {"jobs": [one.hex for one in job_ids]}


def spooled_from(parcel: Parcel) -> list[UUID]:
    """The ids that a ``spooled`` job names. Raises InvalidJob."""
    try:
        return [UUID(one) for one in parcel.payload["jobs"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidJob("The job names no jobs.", remedy=_UPGRADE) from None


def _submit_payload(order: SubmitOrder) -> dict[str, Any]:
    submission = order.submission.model_dump(mode="json", exclude_defaults=True, exclude={"message"})
    payload: dict[str, Any] = {
        "message": order.submission.message.model_dump(mode="json", exclude_defaults=True),
        **({"submission": submission} if submission else {}),
    }
    more = {"message_id": order.message_id, "traceparent": order.traceparent, "confirm": order.confirm}
    return payload | {name: value for name, value in more.items() if value}


def order_from(parcel: Parcel) -> SubmitOrder:
    """The submission of a ``submit`` job.

    Raises:
        InvalidJob: no submission. What only shows when it is accepted (a lane that is not known) is told there.
    """
    payload = parcel.payload
    try:
        submission = Submission.model_validate_json(
            json.dumps({**payload.get("submission", {}), "message": payload.get("message", {})})
        )
        message_id, traceparent = payload.get("message_id"), payload.get("traceparent", "")
        if message_id is not None:
            check_id(message_id, "message_id")
    except (ValidationError, InvalidSubmission, TypeError, AttributeError) as error:
        # Never their text: it may quote the mail.
        raise InvalidJob(f"The job holds no submission that can be read ({type(error).__name__}).", remedy=_UPGRADE) from None
    if not (message_id is None or isinstance(message_id, str)) or not isinstance(traceparent, str):
        raise InvalidJob("The job's names are not text.", remedy=_UPGRADE)
    return SubmitOrder(submission, parcel.job_id, message_id, traceparent, payload.get("confirm") is True)


def _texts(parcel: Parcel, *names: str) -> dict[str, str]:
    values = {name: parcel.payload.get(name) for name in names}
    if not all(isinstance(value, str) for value in values.values()):
        raise InvalidJob(f"The job lacks one of {', '.join(names)}.", remedy=_UPGRADE)
    return {name: str(value) for name, value in values.items()}


def _check_signature(body: bytes, secrets: Sequence[bytes]) -> None:
    if not secrets:
        return
    found = _SIGNED.search(body)
    if found is None:
        raise InvalidJob("The job is not signed.", remedy="Give its host the secret that the mail service has.")
    signed = body[: found.start()]
    if not any(hmac.compare_digest(_signature(secret, signed), found[1]) for secret in secrets):
        raise InvalidJob("The job's signature is wrong.", remedy="Host and mail service need the same secret.")


def _signature(secret: bytes, signed: bytes) -> bytes:
    return hmac.new(secret, b"ticketmail job\0" + signed, hashlib.sha256).hexdigest().encode("ascii")


def _upcast(whole: dict[str, Any]) -> dict[str, Any]:
    version = whole.get("v")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise InvalidJob(f"The job has version {str(version)[:20]!r}, this release reads up to {VERSION}.", remedy=_UPGRADE)
    for step in range(version, VERSION):
        whole = UPCASTERS[step](whole)
    return whole


def _parcel(whole: Mapping[str, Any]) -> Parcel:
    named, at_us, payload = whole.get("kind"), whole.get("at_us"), whole.get("payload")
    kind: JobKind | None = next((known for known in get_args(JobKind) if known == named), None)
    if kind is None:
        raise InvalidJob(f"The job is of an unknown kind: {str(named)[:40]!r}.", remedy=_UPGRADE)
    if not isinstance(at_us, int) or isinstance(at_us, bool) or not 0 <= at_us < 1 << 62 or not isinstance(payload, dict):
        raise InvalidJob("The job lacks a time or a payload.", remedy=_UPGRADE)
    try:
        job_id = UUID(whole["id"])
    except (KeyError, ValueError, AttributeError, TypeError):
        raise InvalidJob("The job has no id.", remedy=_UPGRADE) from None
    return Parcel(kind, job_id, at_us, payload)
