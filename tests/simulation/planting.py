"""How a mistake is planted: a context manager bends the engine while it is open, and puts it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Plant = Callable[[], AbstractContextManager[None]]
PLANTS: dict[str, Plant] = {}


def plant(make: Callable[[], Iterator[None]]) -> Plant:
    """Registers a plant under its name in words."""
    manager = contextmanager(make)
    PLANTS[make.__name__.strip("_").replace("_", " ")] = manager
    return manager


@contextmanager
def bent(owner: Any, name: Any, value: Any) -> Iterator[Any]:
    """An attribute or an item is something else for a while; yields what it was."""
    table = isinstance(owner, dict)
    was = owner[name] if table else owner.__dict__[name]
    put = owner.__setitem__ if table else lambda key, new: setattr(owner, key, new)
    put(name, value)
    try:
        yield was
    finally:
        put(name, was)


@contextmanager
def wrapped(owner: Any, name: Any, wrap: Callable[..., Any]) -> Iterator[None]:
    """A function is called through `wrap(original, *arguments)` for a while."""
    was = owner[name] if isinstance(owner, dict) else owner.__dict__[name]
    with bent(owner, name, lambda *args, **kwargs: wrap(was, *args, **kwargs)):
        yield
