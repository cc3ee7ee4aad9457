"""What comes in from outside becomes a message, or a refusal that says what is wrong with it.

Size, encoding, JSON, duplicate keys, shape, grammar, sense: checked once, here, in this order. Numbers keep their
own digits: nothing passes through float.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct, json, msgpack

from engine.control_commands import Regime
from engine.expected import field_of, sentence
from engine.messages import (
    Bar,
    CashMovement,
    ExecutionCommand,
    ExecutionRequest,
    OrderIntent,
    Quote,
    Subscriber,
    Trade,
)
from engine.refusal import Refusal
from engine.target_messages import TargetPositions
from engine.values import read_number

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 16

SHAPES: Final[dict[str, type[Struct]]] = {
    "request": ExecutionRequest,
    "signal": ExecutionRequest,
    "intent": OrderIntent,
    "command": ExecutionCommand,
    "targets": TargetPositions,
    "subscriber": Subscriber,
    "cash": CashMovement,
    "regime": Regime,
    "quote": Quote,
    "trade": Trade,
    "bar": Bar,
}
"""The shape that each verb of a subject takes."""

_from_json: Final = {
    verb: json.Decoder(shape, dec_hook=read_number, float_hook=str).decode for verb, shape in SHAPES.items()
}
_from_msgpack: Final = {verb: msgpack.Decoder(shape, dec_hook=read_number).decode for verb, shape in SHAPES.items()}

# Of a number with a point only its length: here it is no text, and nowhere is it a float.
_plainly: Final = json.Decoder(float_hook=len).decode
_as_written: Final = json.Decoder(float_hook=str).decode


def read(verb: str, payload: bytes, packed: bool = False) -> Any:
    """The message of this verb, or a Refusal with code and sentence. `packed`: msgpack instead of JSON."""
    if not payload:
        return Refusal("EMPTY", "the message is empty")
    if len(payload) > MAX_BYTES:
        return Refusal("TOO_LARGE", f"the message has {len(payload)} bytes, more than {MAX_BYTES}")
    try:
        message = _from_msgpack[verb](payload) if packed else _from_json[verb](payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return _refusal(error, verb, payload, packed)
    if not packed:
        # A key that stands twice is a text that is missing from what was decoded. Counting them costs a third of
        # looking at each; where the count is off, or may be (an escaped quote), a second look tells.
        suspect = payload.count(b'"') != 2 * _texts(_plainly(payload)) or b"\\" in payload
        if suspect and (twice := _duplicate(payload)):
            return Refusal("DUPLICATE_KEY", f"the key {twice[:64]!r} stands twice in the same object")
    problem = message.problem() if hasattr(message, "problem") else None
    return message if problem is None else Refusal(*problem)


def _texts(value: Any) -> int:
    """How many texts this decoded JSON was written with, keys and values."""
    if value.__class__ is dict:
        count, values = len(value), value.values()
    else:
        count, values = 0, value
    for item in values:
        kind = item.__class__
        if kind is str:
            count += 1
        elif kind is dict or kind is list:
            count += _texts(item)
    return count


def _duplicate(payload: bytes) -> str | None:
    """The first key that an object of this (valid, bounded) JSON has twice."""
    stack: list[set[str] | None] = []
    for match in _TOKENS(payload):
        token = match[0]
        if token == b"{":
            stack.append(set())
        elif token == b"[":
            stack.append(None)
        elif token in (b"}", b"]"):
            stack.pop()
        elif match[1] is not None and stack and (seen := stack[-1]) is not None:
            key = str(json.decode(match[1]))
            if key in seen:
                return key
            seen.add(key)
    return None


# A string followed by a colon (a key), any other string, or a bracket.
_TOKENS: Final[Callable[[bytes], Any]] = re.compile(rb'("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[][{}]').finditer

_CODES: Final = (
    ("unknown field", "UNKNOWN_FIELD"),
    ("missing required field", "MISSING_FIELD"),
    ("Invalid value ", "BAD_VALUE"),
    ("timezone component", "NAIVE_TIME"),
    ("Invalid RFC3339", "BAD_TIME"),
    ("matching regex", "BAD_TEXT"),
    ("length", "BAD_TEXT"),
    ("Invalid enum value", "BAD_VALUE"),
    ("Expected `int` >= ", "BAD_VALUE"),
    ("Expected `int` <= ", "BAD_VALUE"),
    ("Expected", "WRONG_TYPE"),
)


def _refusal(error: BaseException, verb: str, payload: bytes, packed: bool) -> Refusal:
    """msgspec's error as a stable code and a sentence that names the field."""
    text = str(error)
    if isinstance(error, RecursionError):
        return Refusal("TOO_DEEP", f"the message is nested more than {MAX_DEPTH} deep")
    if isinstance(error, UnicodeDecodeError) or "utf-8" in text.lower():
        return Refusal("BAD_UTF8", f"the message is not UTF-8: {text}")
    if not isinstance(error, msgspec.ValidationError):
        kind = "BAD_MSGPACK" if packed else "BAD_JSON"
        return Refusal(kind, f"the message is not one whole {'msgpack' if packed else 'JSON'} value: {text}")
    said = field_of(error)[1]
    named = sentence(error, SHAPES[verb], _undecoded(payload, packed))
    if isinstance(error.__cause__, ValueError) and "decimal" in said:
        return Refusal("BAD_NUMBER", named)
    for words, code in _CODES:
        if words in said:
            return Refusal(code, named)
    return Refusal("WRONG_TYPE", named)


def _undecoded(payload: bytes, packed: bool) -> Any:
    """What was read, where all of it can be: an error may stand before one that is worse."""
    try:
        return msgpack.decode(payload) if packed else _as_written(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        return None


def at(value: datetime | None, now: datetime) -> datetime:
    """A time that may have been left out."""
    return now if value is None else value
