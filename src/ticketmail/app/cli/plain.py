"""Models as JSON values, for ``--json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr

from ticketmail.app.usecases.report.times import iso

_LENGTHS = frozenset({"lifetime_us"})  #: lengths of time, no moments


def plain(value: Any) -> Any:
    """``value`` as JSON has it. Beside each ``x_us`` (UTC microseconds) stands ``x``, the same as RFC 3339 text."""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, BaseModel):
        return plain({name: getattr(value, name) for name in type(value).model_fields})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({one.name: getattr(value, one.name) for one in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return dict(_pairs(value))
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return _atom(value)


def _pairs(mapping: Mapping[Any, Any]) -> Any:
    for key, value in mapping.items():
        name = str(key.value if isinstance(key, Enum) else key)
        yield name, plain(value)
        moment = name.removesuffix("_us")
        if moment != name and name not in _LENGTHS and moment not in mapping and (value is None or isinstance(value, int)):
            yield moment, None if value is None else iso(value)


def _atom(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)
