"""What a presigned form may upload: the policy that was signed with it, held against the fields that came.

Every field must be named by a condition, and every condition must hold of a field that is there ("POST policy").
Names are compared in any case, values as they are. The messages are S3's own, as its users quote them.
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from imgpipe.local.emulator.body import LARGEST
from imgpipe.local.emulator.refused import Refused

_EXEMPT: Final = frozenset({"x-amz-signature", "file", "policy", "awsaccesskeyid", "signature"})
_RANGE: Final = "content-length-range"


@dataclass(frozen=True)
class Policy:
    """`expires`: seconds since the epoch. `conditions`: lists as `["eq", "$key", "cat.jpg"]`."""

    expires: float
    conditions: tuple[tuple[Any, ...], ...]

    @classmethod
    def read(cls, encoded: str) -> "Policy":
        """The policy in base64. Raises Refused (InvalidPolicyDocument) where it is none."""
        try:
            document = json.loads(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            raise _invalid("Invalid JSON.") from None
        if not isinstance(document, dict):
            raise _invalid("Invalid JSON.")
        if "expiration" not in document:
            raise _invalid("Policy missing expiration.")
        if not isinstance(document.get("conditions"), list):
            raise _invalid("Policy missing conditions.")
        return cls(_expiration(document["expiration"]), tuple(_condition(item) for item in document["conditions"]))

    def check(self, bucket: str, fields: Mapping[str, str]) -> None:
        """Raise Refused unless `fields`, under lower-case names, may go to `bucket`, whatever they call it."""
        if time.time() > self.expires:
            raise _denied("Policy expired.")
        given = {**fields, "bucket": bucket}
        for condition in self.conditions:
            if condition[0] != _RANGE:
                _check(condition, given)
        named = {_name(condition) for condition in self.conditions} | _EXEMPT
        extra = [name for name in fields if name not in named and not name.startswith("x-ignore-")]
        if extra:
            raise _denied(f"Extra input fields: {', '.join(extra)}")

    @property
    def lengths(self) -> tuple[int, int]:
        """How many bytes the file must have at least, and may have at most. Raises Refused where that is no number."""
        least, most = 0, LARGEST
        for condition in self.conditions:
            if condition[0] == _RANGE:
                if not all(re.fullmatch("[0-9]{1,18}", str(bound)) for bound in condition[1:]):
                    raise _failed(condition)
                least, most = max(least, int(condition[1])), min(most, int(condition[2]))
        return least, most


def _check(condition: tuple[Any, ...], given: Mapping[str, str]) -> None:
    operation, name, wanted = condition
    value = given.get(name.lower()[1:]) if name.startswith("$") else None
    if value is None or not _holds(operation, name.lower(), value, wanted):
        raise _failed(condition)


def _holds(operation: str, name: str, value: str, wanted: str) -> bool:
    if operation == "eq":
        return value == wanted
    if name == "$content-type" and "," in value:
        return all(part.strip().startswith(wanted) for part in value.split(","))
    return value.startswith(wanted)


def _condition(item: Any) -> tuple[Any, ...]:
    match item:
        case dict():
            if len(item) != 1:
                raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
            ((name, value),) = item.items()
            if not isinstance(value, str):
                raise _invalid("Invalid Simple-Condition: value must be a string.")
            return ("eq", f"${name}", value)
        case [str(operation), low, high] if operation.lower() == _RANGE:
            return (_RANGE, low, high)
        case [str(operation), str(name), str(value)] if operation.lower() in ("eq", "starts-with"):
            return (operation.lower(), name, value)
        case [str(operation), *rest]:
            known = operation.lower() in ("eq", "starts-with", _RANGE)
            if known and len(rest) != 2:
                raise _invalid(f"Invalid {operation}: wrong number of arguments.")
            raise _invalid("Invalid JSON." if known else f"Invalid Condition: unknown operation '{operation}'.")
        case _:
            raise _invalid("Invalid Condition: missing operation identifier.")


def _name(condition: tuple[Any, ...]) -> str:
    return "" if condition[0] == _RANGE else str(condition[1]).lower().removeprefix("$")


def _expiration(value: object) -> float:
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"):
        try:
            return datetime.strptime(str(value), form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise _invalid(f"Invalid 'expiration' value: '{value}'")


def _failed(condition: tuple[Any, ...]) -> Refused:
    return _denied(f"Policy Condition failed: {json.dumps(condition, ensure_ascii=False)}")


def _denied(reason: str) -> Refused:
    return Refused("AccessDenied", f"Invalid according to Policy: {reason}")


def _invalid(reason: str) -> Refused:
    return Refused("InvalidPolicyDocument", f"Invalid Policy: {reason}")
