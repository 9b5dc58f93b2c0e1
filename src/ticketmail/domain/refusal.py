"""From pydantic's errors to ours: whoever hands mail over meets InvalidSubmission kin that name the field and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ticketmail.domain.errors import InvalidHeader, InvalidMessage, InvalidSubmission, NaiveTime

_REMEDIES = {
    "missing": "Set it.",
    "extra_forbidden": "Remove it; there is no such field.",
    "datetime_from_date_parsing": "Pass an aware datetime.",
    "string_type": "Pass a str.",
    "bytes_type": "Pass bytes.",
    "tuple_type": "Pass one value, or a list.",
    "model_type": "Pass a str or the value itself.",
}
_TIMES = ("not_before", "deadline")


def as_refusal(error: ValidationError, *, root: str = "") -> InvalidSubmission:
    """The first of pydantic's complaints as our own error, without the offending value (it may be a mail's text).

    ``root`` is put in front of field names (``message``), so that they read as the host wrote them: ``message.to[2]``.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    cause = first.get("ctx", {}).get("error")
    field = field_name(first["loc"], root=root)
    if isinstance(cause, InvalidSubmission):
        return refield(cause, field)
    remedy = _REMEDIES.get(first["type"], "See the documentation of this field.")
    return _class_for(field)(first["msg"].removesuffix(".") + ".", field=field or "submission", remedy=remedy)


def refield(error: InvalidSubmission, field: str) -> InvalidSubmission:
    """The same refusal, of ``field``. The values' own validators know what is wrong, not where they are used."""
    known = error.field if error.field in ("name", "local", "domain") else ""
    place = field if not known or field.endswith(f".{known}") else f"{field}.{known}".strip(".")
    message = str(error).removeprefix(f"{error.field}: ").removesuffix(error.remedy).rstrip()
    return type(error)(message, field=place or error.field, remedy=error.remedy)


def field_name(location: Sequence[str | int], *, root: str = "") -> str:
    """``("to", 2)`` as ``to[2]``; pydantic's own marks (``function-before[...]``) left out."""
    name = root
    for step in location:
        if isinstance(step, int):
            name += f"[{step}]"
        elif step.isidentifier():
            name += f".{step}" if name else step
    return name


def _class_for(field: str) -> type[InvalidSubmission]:
    if field in _TIMES:
        return NaiveTime
    if "headers" in field:
        return InvalidHeader
    return InvalidMessage if field else InvalidSubmission


if TYPE_CHECKING:
    _Meta = type
else:
    _Meta = type(BaseModel)


class _RaisesOurs(_Meta):
    """Calling the class raises our errors. Only the outermost call: nested values are validated by pydantic itself, which
    collects ValueErrors, so that the outer one knows the whole path of the field."""

    if not TYPE_CHECKING:

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 (of a metaclass)
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise as_refusal(error) from None


if TYPE_CHECKING:
    Value = BaseModel
else:

    class Value(BaseModel, metaclass=_RaisesOurs):
        """A pydantic model whose constructor raises InvalidSubmission kin instead of ValidationError."""
