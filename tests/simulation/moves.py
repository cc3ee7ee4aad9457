"""Which event may move an order from which status to which: said here a second time, apart from the engine."""

from __future__ import annotations

from engine import events as e
from engine import work as w
from engine.order import TERMINAL


def legal(event: type, old: str, new: str) -> bool:
    """Whether this event may move an order from one status to another."""
    if event in (e.OrderAsked, e.OrderMissed, e.ReportImpossible):
        return old == new and old != "NEW"
    if event is e.OrderStarted:
        return (old, new) == ("NEW", "SUBMITTING")
    if event is w.WorkStarted:
        return (old, new) == ("NEW", "WORKING")
    if event is w.ChildMoved:
        return new == old != "NEW" or (old, new) == ("WORKING", "PARTIALLY_FILLED")
    if event is e.OrderFilled:
        if old in TERMINAL:
            return old != "FILLED" and new in (old, "FILLED")
        kept = old in ("PENDING_CANCEL", "PENDING_REPLACE", "PARTIALLY_FILLED") and new == old
        return kept or new in ("PARTIALLY_FILLED", "FILLED") or (old, new) == ("UNKNOWN", "PENDING_REPLACE")
    if old in TERMINAL or old == "NEW":
        return False
    resting = ("WORKING", "PARTIALLY_FILLED")
    allowed: dict[type, tuple[str, ...]] = {
        e.OrderAccepted: (*resting, *((old,) if old.startswith("PENDING") else ("PENDING_REPLACE",))),
        e.OrderClosed: ("CANCELED", "REJECTED", "EXPIRED"),
        e.CancelRequested: ("PENDING_CANCEL",),
        e.ReplaceRequested: ("PENDING_REPLACE",) if old in resting else (),
        e.OrderReplaced: (*resting, "FILLED", *((old,) if old == "PENDING_CANCEL" else ())),
        e.AmendRefused: (*resting, "FILLED", "SUBMITTING", "UNKNOWN", "PENDING_REPLACE", "PENDING_CANCEL"),
        e.OrderLost: ("UNKNOWN",),
        w.WorkMoved: (old,),
        w.WorkConstrained: (old,),
        w.WorkAmended: (old,) if old in resting else (),
        w.WorkStopped: ("PENDING_CANCEL",) if old in resting else (),
        w.WorkEnded: ("FILLED", "CANCELED", "EXPIRED", "REJECTED"),
        e.OrderResent: ("SUBMITTING", "PENDING_CANCEL"),
    }
    return new in allowed.get(event, ())
