"""What a person types after a method's name, as parameters: `k=v`, JSON, or values in the parameters' order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Described = dict[str, Any]
"""A method as `methods` describes it."""


class ArgumentError(Exception):
    """What was typed cannot be meant; the text says what was expected."""


def parse(method: Described, words: Sequence[str]) -> dict[str, Any]:
    """The parameters; raises ArgumentError."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            found = json.loads(words[0])
        except ValueError as error:
            raise ArgumentError(f"not JSON: {error}") from None
        if not isinstance(found, dict):
            raise ArgumentError("parameters are a JSON object")
        return found
    known = {param["name"]: param for param in method["params"]}
    params: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            name, value = _next_name(method, params, word), word
        if name not in known:
            raise ArgumentError(f"{method['method']} has no parameter {name!r}; it takes: {', '.join(known) or 'none'}")
        params[name] = _value(known[name], value)
    missing = [name for name, param in known.items() if param["required"] and name not in params]
    if missing:
        raise ArgumentError(f"{usage(method)}\n{method['method']} needs {' and '.join(missing)}")
    return params


def usage(method: Described) -> str:
    """How a method is called: `cancel order_id=… [reason=…]`."""
    words = [f"{p['name']}=…" if p["required"] else f"[{p['name']}=…]" for p in method["params"]]
    return " ".join([method["method"], *words])


def _next_name(method: Described, params: dict[str, Any], word: str) -> str:
    for param in method["params"]:
        if param["name"] not in params:
            return str(param["name"])
    raise ArgumentError(f"{word!r} is one more than {method['method']} takes")


def _value(param: Described, text: str) -> Any:
    kind = param["type"]
    if kind == "number":
        try:
            return int(text)
        except ValueError:
            raise ArgumentError(f"{param['name']}: expected a number, got {text!r}") from None
    if kind == "true or false":
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise ArgumentError(f"{param['name']}: expected true or false, got {text!r}")
        return text.lower() in ("true", "yes", "1")
    return text
