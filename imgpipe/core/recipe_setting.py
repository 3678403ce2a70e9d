"""One setting: its value as its field's type, or a sentence on what is allowed instead.

What is allowed is not written twice: it comes from the types in `recipe`, their descriptions and their choices.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

Place = tuple[str, ...]
"""The keys that lead to a value, from the top of the document."""
Table = Mapping[str, Any]


@cache
def fields(kind: type[Struct]) -> dict[str, Any]:
    """The settings of a table: name -> type. A preset's own name is its table's."""
    return {field.name: field.type for field in msgspec.structs.fields(kind) if field.name != "name"}


def convert(value: object, kind: Any) -> Any:
    """`value` as `kind`. Raises ValueError with the value seen, what is allowed, and the choice that is nearest."""
    try:
        if not isinstance(value, float) or math.isfinite(value):
            return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        pass
    leaves = list(_leaves(kind))
    allowed = either(_described(leaf) for leaf in leaves)
    hint = _nearest(value, [choice for leaf in leaves for choice in _choices(leaf)]) if isinstance(value, str) else None
    raise ValueError(
        f"{seen(value)} is not allowed. Use {allowed}." + (f" Did you mean {quoted(hint)}?" if hint else "")
    )


def unknown(key: str, known: list[str]) -> str:
    """The sentences on a key that is none of those `known`."""
    hint = _nearest(key, known)
    return "It is unknown here. " + (f"Did you mean {hint}?" if hint else f"Known are {', '.join(known)}.")


def seen(value: object) -> str:
    """A value as TOML writes it, short; a table or an array by its kind."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case int() if value.bit_length() > 64:
            return "A number beyond 64 bits"
        case dict():
            return "A table"
        case list():
            return "An array"
    return str(value)


def quoted(text: str) -> str:
    """`text` as TOML writes it, cut after 60 characters; what would not print is escaped."""
    shown = text if len(text) <= 60 else text[:59] + "…"
    return json.dumps(shown, ensure_ascii=not shown.isprintable())


def either(choices: Iterable[str]) -> str:
    """A, B or C."""
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def _nearest(name: str, known: list[str]) -> str | None:
    from difflib import get_close_matches  # here, because a good recipe needs none of it

    return next(iter(get_close_matches(name[:100].lower(), known, 1)), None)


def _leaves(kind: Any) -> Iterator[Any]:
    if get_origin(kind) in (Union, UnionType):
        for part in get_args(kind):
            yield from _leaves(part)
    elif kind is not NoneType:
        yield kind


def _described(leaf: Any) -> str:
    if get_origin(leaf) is Annotated:
        return str(leaf.__metadata__[0].description)
    return {bool: "true or false", str: "a text in quotes"}.get(leaf) or either(map(quoted, _choices(leaf)))


def _choices(leaf: Any) -> list[str]:
    """The texts that `leaf` allows, where they can be listed."""
    if get_origin(leaf) is Annotated:
        leaf = get_args(leaf)[0]
    if get_origin(leaf) is Literal:
        return list(get_args(leaf))
    return [str(member) for member in leaf] if isinstance(leaf, type) and issubclass(leaf, Enum) else []
