"""What a venue is told of an order beyond a plain one, and what of that it never said it could do."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from engine.instructions import PLAIN_TYPES, TRIGGERED, Instructions
from engine.specification import Emulator, Specification
from engine.values import OrderType, TimeInForce

if TYPE_CHECKING:
    from engine.reports import Capabilities

_LEAST: Final[frozenset[Emulator]] = frozenset({"MIN_FILL_FIRST", "MIN_FILL_AT_END"})


class Native(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Instructions that the venue sees to itself; a plain order has none of this, not even the struct.

    `told` as a request has it. `stop_price` is of an order whose type waits for one. `min_quantity` is the least that
    an IOC order has to fill, or nothing. `algorithm` is the venue's own name of one, with its `parameters`.
    """

    told: Instructions | None = None
    stop_price: Decimal | None = None
    min_quantity: Decimal | None = None
    algorithm: str | None = None
    parameters: dict[str, str] = {}

    @property
    def display_quantity(self) -> Decimal | None:
        """What of the order is shown; None where all is."""
        return None if self.told is None else self.told.display_quantity


def native(spec: Specification) -> Native | None:
    """What of a specification is for the venue beside type, time, quantity and limit price; None of a plain order."""
    watched = spec.kind in TRIGGERED and "TRIGGER" not in spec.emulators
    least = None if _LEAST.intersection(spec.emulators) else spec.min_quantity
    told = spec.sent if spec.sent.asked() else None
    stop = spec.stop_price if watched else None
    if told is None and stop is None and least is None and spec.algorithm is None:
        return None
    return Native(told=told, stop_price=stop, min_quantity=least, algorithm=spec.algorithm, parameters=spec.parameters)


def of_child(native: Native | None, quantity: Decimal, display: Decimal | None) -> Native | None:
    """What a child of an order is told: as its parent is, showing `display` or no more than it has."""
    shown = display if native is None or display is not None else native.display_quantity
    if shown is not None and shown >= quantity:
        shown = None
    if native is None:
        return None if shown is None else Native(told=Instructions(display_quantity=shown))
    if native.display_quantity == shown:
        return native
    told = replace(native.told or Instructions(), display_quantity=shown)
    found = replace(native, told=told if told.asked() else None)
    return None if found == Native() else found


def undeclared(can: Capabilities, order_type: OrderType, time: TimeInForce, native: Native | None) -> str:
    """What of this a venue did not declare, as a sentence naming the field; '' where it can do all of it.

    The gate asks this of what it lets through, and every adapter of what it is sent: nothing is dropped silently.
    """
    if order_type not in can.order_types:
        return f"order_type: {order_type} is not known here"
    if time not in can.times_in_force:
        return f"time_in_force: {time} is not known here"
    return "" if native is None and order_type in PLAIN_TYPES else _beyond(can, order_type, native or Native())


def _beyond(can: Capabilities, order_type: OrderType, native: Native) -> str:
    told = native.told or Instructions()
    wrong = {
        "display_quantity": told.display_quantity is not None and not can.display_quantity,
        "post_only": told.post_only and not can.post_only,
        "reduce_only": told.reduce_only and not can.reduce_only,
        "min_quantity": native.min_quantity is not None and not can.min_quantity,
        "algorithm": native.algorithm is not None and native.algorithm not in {algo.name for algo in can.algos},
        "stop_price": (native.stop_price is not None) != (order_type in TRIGGERED),
    }
    field = next((name for name, is_wrong in wrong.items() if is_wrong), "")
    return f"{field}: this venue cannot do it for a {order_type} order" if field else ""
