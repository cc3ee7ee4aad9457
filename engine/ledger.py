"""What a subscriber holds, exactly: positions that keep quantity and cost, and cash by currency.

Average prices are derived and never booked. When a position shrinks, its cost leaves in proportion, rounded
towards zero; what that rounding leaves stays in the cost and goes with the last unit. So
`realized + unrealized == cash flow of the fills + market value` holds exactly, always.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from msgspec import Struct
from msgspec.structs import replace

from engine.commands import Fill
from engine.values import DERIVED, EXACT, MAX_DECIMALS, ZERO, Side, add, instrument_key, minus, multiply, subtract

# Cost that leaves a position is cut to this many decimals, so that numbers cannot grow without end.
_GRAIN = Decimal(1).scaleb(-MAX_DECIMALS)
# Wide enough for the largest cost and its cut decimals; never rounds away from zero, so never releases too much.
_PORTION = Context(prec=90, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])


class Position(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A holding of one instrument, and what is open at venues for it.

    Units: `quantity` (negative when short), `working_buy`, `working_sell`. In `currency`, the multiplier included:
    `cost` (what was paid for the quantity held, negative when short), `realized` (before commission), `commission`
    (positive when paid), `reserved_buy` and `reserved_sell` (the notional counted for the working units).
    """

    exchange: str
    symbol: str
    currency: str
    multiplier: Decimal
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    commission: Decimal = ZERO
    working_buy: Decimal = ZERO
    working_sell: Decimal = ZERO
    reserved_buy: Decimal = ZERO
    reserved_sell: Decimal = ZERO


class Balance(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Cash in one currency: `amount` after all commissions, `commission` paid so far.

    `day_equity` is the equity that the UTC day `day` (ISO date, '' before the first) opened with, moved by deposits
    and withdrawals since, so that equity less `day_equity` is the day's profit.
    """

    currency: str
    amount: Decimal = ZERO
    commission: Decimal = ZERO
    day: str = ""
    day_equity: Decimal = ZERO


def flat(exchange: str, symbol: str, currency: str, multiplier: Decimal) -> Position:
    """A position of nothing."""
    return Position(exchange=exchange, symbol=symbol, currency=currency, multiplier=multiplier)


def book(position: Position, fill: Fill) -> Position:
    """The position with this fill in it: increased, reduced, closed or flipped. Reservations are not touched.

    A position of nothing takes the fill's multiplier. Raises ValueError when the fill is of another instrument, or
    its currency or multiplier is not the one that the position's cost is counted in.
    """
    held, multiplier = position.quantity, fill.multiplier
    if (
        fill.symbol != position.symbol
        or fill.exchange != position.exchange
        or fill.currency != position.currency
        or (multiplier != position.multiplier and held)
    ):
        raise ValueError(
            f"fill {fill.execution_id} of {fill.exchange}:{fill.symbol} in {fill.currency} x {multiplier} does not "
            f"belong to {held} {position.exchange}:{position.symbol} in {position.currency} x {position.multiplier}"
        )
    traded = fill.quantity if fill.side == "BUY" else minus(fill.quantity)
    unit = multiply(fill.price, multiplier)
    paid = multiply(traded, unit)
    quantity = add(held, traded)
    realized = position.realized
    if not held or (held > ZERO) == (traded > ZERO):
        cost = add(position.cost, paid)
    elif quantity and (quantity > ZERO) == (held > ZERO):
        released = _portion(position.cost, fill.quantity, EXACT.abs(held))
        cost = subtract(position.cost, released)
        realized = subtract(subtract(realized, paid), released)
    else:
        cost = multiply(quantity, unit)
        closing = subtract(paid, cost)
        realized = subtract(subtract(realized, closing), position.cost)
    return replace(
        position,
        multiplier=multiplier,
        quantity=quantity,
        cost=cost,
        realized=realized,
        commission=add(position.commission, fill.commission),
    )


def _portion(cost: Decimal, quantity: Decimal, of: Decimal) -> Decimal:
    exact = _PORTION.divide(_PORTION.multiply(cost, quantity), of)
    cut = _PORTION.quantize(exact, _GRAIN)
    # The quotient where it needs no cutting: 600, not 600.000000000000.
    return exact if exact == cut else cut


def cash_flow(fill: Fill) -> Decimal:
    """What this fill moves in cash before commission, in its currency: negative for a buy."""
    value = multiply(multiply(fill.quantity, fill.price), fill.multiplier)
    return minus(value) if fill.side == "BUY" else value


def settle(balance: Balance, fill: Fill) -> Balance:
    """The balance after paying for this fill, or being paid, and its commission.

    Raises ValueError when the fill is in another currency.
    """
    if fill.currency != balance.currency:
        raise ValueError(f"fill {fill.execution_id} is in {fill.currency}, the balance in {balance.currency}")
    return replace(
        balance,
        amount=subtract(add(balance.amount, cash_flow(fill)), fill.commission),
        commission=add(balance.commission, fill.commission),
    )


def move(balance: Balance, amount: Decimal) -> Balance:
    """The balance after a deposit (or, negative, a withdrawal), which is neither profit nor loss of the day."""
    moved = add(balance.amount, amount)
    if not balance.day:
        return replace(balance, amount=moved)
    return replace(balance, amount=moved, day_equity=add(balance.day_equity, amount))


def open_day(balance: Balance, day: str, equity: Decimal) -> Balance:
    """The balance with the equity that this day (ISO date, UTC) opened with."""
    return replace(balance, day=day, day_equity=equity)


def reserve(position: Position, side: Side, quantity: Decimal, notional: Decimal) -> Position:
    """The position with this many more units working at venues, counted at this notional.

    Raises ValueError when less than nothing would be working or reserved.
    """
    return _reserved(position, side, quantity, notional, add)


def release(position: Position, side: Side, quantity: Decimal, notional: Decimal) -> Position:
    """The position with this many units fewer working, and their notional given back (more, where negative).

    Raises ValueError when more would be given back than is working or reserved.
    """
    return _reserved(position, side, quantity, notional, subtract)


def without(position: Position, side: Side, quantity: Decimal, notional: Decimal) -> Position:
    """The position as if an order that works this were not there, to judge another by.

    Of an order that is worked at our side a child's fill may be booked before its parent hears of it: what is reserved
    no more is not released again.
    """
    buys = side == "BUY"
    working, reserved = position.working_sell, position.reserved_sell
    if buys:
        working, reserved = position.working_buy, position.reserved_buy
    return release(position, side, min(quantity, working), min(notional, reserved))


def _reserved(
    position: Position,
    side: Side,
    quantity: Decimal,
    notional: Decimal,
    change: Callable[[Decimal, Decimal], Decimal],
) -> Position:
    if side == "BUY":
        working = change(position.working_buy, quantity)
        reserved = change(position.reserved_buy, notional)
    else:
        working = change(position.working_sell, quantity)
        reserved = change(position.reserved_sell, notional)
    if working < ZERO or reserved < ZERO:
        raise _impossible(position, side, change(ZERO, quantity), change(ZERO, notional))
    if side == "BUY":
        return replace(position, working_buy=working, reserved_buy=reserved)
    return replace(position, working_sell=working, reserved_sell=reserved)


def _impossible(position: Position, side: Side, quantity: Decimal, notional: Decimal) -> ValueError:
    buys = side == "BUY"
    working = position.working_buy if buys else position.working_sell
    reserved = position.reserved_buy if buys else position.reserved_sell
    return ValueError(
        f"{instrument_key(position.exchange, position.symbol)} {side}: {working} units working with {reserved} "
        f"{position.currency} reserved cannot change by {quantity} units and {notional}"
    )


def closable(position: Position) -> Decimal:
    """Signed units that an order may still close: the position less the working orders that already close it."""
    quantity = position.quantity
    if quantity > ZERO:
        return max(ZERO, subtract(quantity, position.working_sell))
    return min(ZERO, add(quantity, position.working_buy))


def average_price(position: Position) -> Decimal | None:
    """What one unit held has cost, in currency a unit (rounded: for people, never for books); None when flat."""
    if not position.quantity:
        return None
    return DERIVED.divide(position.cost, DERIVED.multiply(position.quantity, position.multiplier))


def market_value(position: Position, mark: Decimal) -> Decimal:
    """What the position is worth at this price, in its currency: negative when short."""
    return multiply(multiply(position.quantity, mark), position.multiplier)


def unrealized(position: Position, mark: Decimal) -> Decimal:
    """The profit in the position at this price, in its currency, before commission."""
    return subtract(market_value(position, mark), position.cost)
