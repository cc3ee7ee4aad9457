"""Keeps what only watches from stopping what it watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from actors.journal import Batch

if TYPE_CHECKING:
    from adapters.engine import Observer


def guarded(observer: Observer) -> Observer:
    """The observer, with a failure of its own said once and then forgiven: no log line is worth the engine."""
    failed = False

    def call(batches: list[Batch]) -> None:
        nonlocal failed
        try:
            observer(batches)
        except Exception as error:  # noqa: BLE001 - see above
            if not failed:
                failed = True
                try:
                    structlog.get_logger().error("observer_failed", observer=repr(observer), error=repr(error))
                except (OSError, ValueError):
                    return  # The log itself is what failed.

    return call
