"""What msgspec finds wrong with a message, as a sentence: the field, what was expected there, and what was found.

msgspec says where and what, but of a word not what the others are, and of a number or a text not which it was. That is
looked up here, in the shape and in what was read, and only when something is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct, inspect

SHOWN: Final = 80
"""Characters of a found value that a sentence repeats."""

_STEPS: Final[Callable[[str], list[str]]] = re.compile(r"[^.[\]]+|\[\d+\]").findall
_BOUND: Final = re.compile(r"Expected `int` (>=|<=) (-?\d+)")
_MISSING: Final = object()


def field_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Where (empty: the message itself) and what, of an error."""
    said, _, where = str(error).rpartition(" - at `$")
    return (where.rstrip("`").lstrip("."), said) if said else ("", str(error))


def sentence(error: msgspec.ValidationError, shape: type[Struct], value: Any) -> str:
    """`error`, of decoding `shape`, where `value` is what was read, undecoded."""
    field, said = field_of(error)
    found = _found(value, _STEPS(field)) if "[...]" not in field else _MISSING
    shown = "" if found is _MISSING else f", got {_short(found)}"
    if said.startswith("Invalid enum value"):
        words = sorted({word for kind in _types(shape, _STEPS(field)) for word in _words(kind)})
        if words:
            said = f"must be one of {', '.join(words)}{shown}"
    elif bound := _BOUND.fullmatch(said):
        said = f"must be at {'least' if bound[1] == '>=' else 'most'} {bound[2]}{shown}"
    elif "matching regex" in said or "of length" in said:
        said += shown
    return f"{field}: {said}" if field else said


def _short(found: Any) -> str:
    text = ascii(found)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def _found(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if step.startswith("["):
            at = int(step[1:-1])
            value = value[at] if isinstance(value, list) and at < len(value) else _MISSING
        else:
            value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
    return value


def _types(shape: type[Struct], steps: list[str]) -> list[inspect.Type]:
    """What may stand at this place of a shape, unions taken apart."""
    kinds = [inspect.type_info(shape)]
    for step in steps:
        kinds = [inner for kind in kinds for inner in _inner(kind, step)]
    return kinds


def _inner(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    inner: inspect.Type | None = None
    if isinstance(kind, inspect.StructType):
        inner = next((field.type for field in kind.fields if field.encode_name == step), None)
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        inner = kind.item_type
    if isinstance(inner, inspect.UnionType):
        yield from inner.types
    elif inner is not None:
        yield inner


def _words(kind: inspect.Type) -> Iterator[str]:
    if isinstance(kind, inspect.LiteralType):
        yield from map(str, kind.values)
    elif isinstance(kind, inspect.EnumType):
        yield from (str(member.value) for member in kind.cls)
