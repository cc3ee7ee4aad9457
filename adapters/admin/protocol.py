"""JSON-RPC 2.0 as the admin socket speaks it: methods with typed parameters, errors with stable codes.

A method's parameters are a frozen struct, so that what it takes is checked, described and completed from one place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, get_args

import msgspec
from msgspec import Struct

from engine.expected import sentence
from engine.values import read_number

MAX_LINE_BYTES: Final = 1 << 20
MAX_BATCH: Final = 100
"""Requests in one batch."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
UNKNOWN_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL: Final = -32603
REFUSED: Final = -32001
"""The engine said no; data has its code."""
NOT_FOUND: Final = -32002
TIMEOUT: Final = -32003
TOO_LARGE: Final = -32004
UNAVAILABLE: Final = -32005
FORBIDDEN: Final = -32006
ERRORS: Final = {
    PARSE_ERROR: "PARSE_ERROR",
    INVALID_REQUEST: "INVALID_REQUEST",
    UNKNOWN_METHOD: "UNKNOWN_METHOD",
    INVALID_PARAMS: "INVALID_PARAMS",
    INTERNAL: "INTERNAL",
    REFUSED: "REFUSED",
    NOT_FOUND: "NOT_FOUND",
    TIMEOUT: "TIMEOUT",
    TOO_LARGE: "TOO_LARGE",
    UNAVAILABLE: "UNAVAILABLE",
    FORBIDDEN: "FORBIDDEN",
}


class RpcError(Exception):
    """What a request is answered where it cannot be done. `data` always has a stable `code` of letters."""

    def __init__(self, number: int, text: str, **data: Any) -> None:
        super().__init__(text)
        self.number = number
        self.data = {"code": ERRORS[number], **data}

    def as_dict(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"code": self.number, "message": str(self), "data": self.data}


class Params(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every method's parameters are."""


class NoParams(Params, frozen=True):
    """For methods that take none."""


class Peer(Protocol):
    """Who asks: a name for the record, and a way to send what comes later."""

    by: str

    def follow(self, stream: Callable[[int, Peer], Awaitable[None]]) -> int:
        """Runs a stream of notifications until it ends, `unfollow` or the connection does; returns its number."""

    def unfollow(self, subscription: int) -> bool:
        """Ends a stream; False where there is none of that number."""

    async def notify(self, method: str, params: Any) -> None:
        """Sends a notification; waits while the other side is slow, and ends the connection where it stays so."""


Handler = Callable[[Any, Peer], Awaitable[Any]]


class Method(Struct, frozen=True):
    """A method: its parameters, what it does, and the function."""

    name: str
    params: type[Params]
    text: str
    handler: Handler

    def describe(self) -> dict[str, Any]:
        """For people and for completion."""
        return {"method": self.name, "text": self.text, "params": [_described(field) for field in _fields(self.params)]}


def _fields(params: type[Params]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(params)


def _described(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    found: dict[str, Any] = {"name": field.name, "type": _type_name(field.type), "required": field.required}
    if not field.required and field.default is not None:
        found["default"] = field.default
    if choices := _choices(field.type):
        found["choices"] = choices
    return found


def _choices(kind: Any) -> list[str]:
    """The words that a Literal allows, also where it may be left out."""
    arguments = get_args(kind)
    return [word for one in arguments for word in ([one] if isinstance(one, str) else _choices(one))]


def _type_name(kind: Any) -> str:
    names = {str: "text", int: "number", bool: "true or false", float: "number"}
    if kind in names:
        return names[kind]
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if choices := _choices(kind):
        return "one of " + ", ".join(choices)
    return _type_name(arguments[0]) if arguments else "text"


class Request(Struct, frozen=True):
    """A request that was read; `id` is absent for a notification."""

    method: str
    params: Any
    id: Any
    wants_answer: bool


def read_request(raw: Any) -> Request:
    """One request from decoded JSON; raises RpcError."""
    if not isinstance(raw, dict):
        raise RpcError(INVALID_REQUEST, "a request is a JSON object")
    if raw.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'jsonrpc: must be "2.0"')
    method, params = raw.get("method"), raw.get("params", {})
    if not isinstance(method, str):
        raise RpcError(INVALID_REQUEST, "method: must be the name of a method")
    if not isinstance(params, dict | list):
        raise RpcError(INVALID_REQUEST, "params: must be an object, or an array in the order of the parameters")
    identity = raw.get("id")
    if not isinstance(identity, str | int | float | None) or isinstance(identity, bool):
        raise RpcError(INVALID_REQUEST, "id: must be a string, a number or null")
    return Request(method, params, identity, "id" in raw)


async def dispatch(methods: Mapping[str, Method], request: Request, peer: Peer) -> Any:
    """Finds the method, reads its parameters, and returns its result; raises RpcError."""
    method = methods.get(request.method)
    if method is None:
        raise RpcError(
            UNKNOWN_METHOD,
            f"there is no method {request.method[:64]!r}; `methods` lists them",
            close_to=_close(request.method, methods),
        )
    return await method.handler(read_params(method, request.params), peer)


def read_params(method: Method, raw: Any) -> Params:
    """The parameters as the method's struct; raises RpcError."""
    names = [field.name for field in _fields(method.params)]
    if isinstance(raw, list):
        if len(raw) > len(names):
            raise RpcError(INVALID_PARAMS, f"{method.name} takes {len(names)} parameters at most, got {len(raw)}")
        raw = dict(zip(names, raw, strict=False))
    unknown = next((name for name in raw if name not in names), None)
    if unknown is not None:
        expected = ", ".join(names) or "none"
        raise RpcError(INVALID_PARAMS, f"{method.name} has no parameter {unknown[:64]!r}; it takes: {expected}")
    try:
        return msgspec.convert(raw, method.params, dec_hook=read_number)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_PARAMS, f"{method.name}: {sentence(error, method.params, raw)}") from None


def _close(name: str, methods: Mapping[str, Method]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, methods, n=3)
