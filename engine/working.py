"""What an order has in its state that is worked at our side: see `engine.work`, which folds it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from engine.algos.contract import Works
from engine.emulate import Held
from engine.specification import Specification
from engine.values import ZERO, summed


class Piece(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An open child: its whole quantity, what is filled of it and what may still be.

    `pending`: it was asked to change or to end, and has not answered. `lost`: it is UNKNOWN, its venue
    was asked about it and does not know it.
    """

    order_id: str
    quantity: Decimal
    filled: Decimal = ZERO
    working: Decimal
    limit_price: Decimal | None = None
    pending: bool = False
    lost: bool = False


def out(pieces: Iterable[Piece]) -> Decimal:
    """What open children may still fill together, in units."""
    return summed(piece.working for piece in pieces)


class Work(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """How an order is worked and how far that has come; `children` are the open ones, oldest first.

    `placed` counts all children. `volume` is what the market traded since the start, as far as an algorithm was told.
    `first_price` is the price of the first fill. `ended` says how the last child ended that nobody had cancelled.
    `paused` and `most` (units of a child) are a regime's. `amended`: it is cancelled as a client wants no more than is
    filled.
    """

    spec: Specification
    works: Works | None = None
    held: Held | None = None
    children: tuple[Piece, ...] = ()
    placed: int = 0
    volume: Decimal = ZERO
    first_price: Decimal | None = None
    ended: str = ""
    paused: bool = False
    most: Decimal | None = None
    amended: bool = False
