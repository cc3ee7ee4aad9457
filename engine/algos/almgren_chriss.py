"""Implementation shortfall: the optimal trajectory of Almgren and Chriss, in its exact discrete form.

R. Almgren and N. Chriss, "Optimal execution of portfolio transactions", Journal of Risk 3(2), 2000, sections 1 and 2.
With c = cosh(kappa tau), sinh(j kappa tau) / sinh(kappa tau) is the Chebyshev polynomial of the second kind
U_(j-1)(c). So their x_j = X sinh(kappa (T - t_j)) / sinh(kappa T) is X U_(N-j-1)(c) / U_(N-1)(c), which is rational in
c: it needs no limit at lambda 0 (c = 1, a straight line), and below it, where kappa is imaginary and the sines are
trigonometric, it is the same line of code.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import lru_cache
from itertools import pairwise

from msgspec import Struct

from engine.algos.contract import PARTS
from engine.values import ONE, ZERO

MAX_INTERVALS = 10_000
_REAL = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_TWO = Decimal(2)


class Impact(Struct, frozen=True, kw_only=True):
    """What trading costs and how much risk is minded; time in days, money in the instrument's currency.

    volatility: sigma, money a unit and square root of a day (absolute, not a percentage). fixed: epsilon, money a
    unit (half the spread and fees). permanent: gamma, money a unit and unit. temporary: eta, money a unit for a unit
    a day. risk_aversion: lambda, 1 / money; below zero for who likes risk.
    """

    volatility: Decimal
    fixed: Decimal
    permanent: Decimal
    temporary: Decimal
    risk_aversion: Decimal


class Trajectory(Struct, frozen=True, kw_only=True):
    """What to hold when, and what it costs.

    kappa and kappa_imaginary: the parts of kappa, 1 / day. holdings: units left after each interval, the first before
    any (N + 1). trades: units an interval (N). expected_cost in money, variance in money squared. minimum: whether
    this is the least of E + lambda V; for lambda so far below zero that there is none it is where that is stationary.
    """

    kappa: Decimal
    kappa_imaginary: Decimal
    holdings: tuple[Decimal, ...]
    trades: tuple[Decimal, ...]
    expected_cost: Decimal
    variance: Decimal
    minimum: bool

    @property
    def deviation(self) -> Decimal:
        """The standard deviation of the cost, in money."""
        return _REAL.sqrt(self.variance)


def trajectory(units: Decimal, days: Decimal, intervals: int, impact: Impact) -> Trajectory:
    """How to trade `units` in `days` in equal intervals.

    Raises ValueError where nothing is to be solved: not above zero, too many intervals, temporary impact that
    permanent impact outweighs (eta <= gamma tau / 2), or a negative lambda for which kappa T is a multiple of pi.
    """
    if units <= ZERO or days <= ZERO or not 1 <= intervals <= MAX_INTERVALS:
        raise ValueError(f"expected units and days above 0 and 1 to {MAX_INTERVALS} intervals")
    tau = _REAL.divide(days, Decimal(intervals))
    reduced = _REAL.subtract(impact.temporary, _REAL.divide(_REAL.multiply(impact.permanent, tau), _TWO))
    if reduced <= ZERO:
        raise ValueError(f"temporary: expected more than permanent x tau / 2, found {reduced} more")
    # The paper's definition of kappa, 2 / tau^2 (cosh(kappa tau) - 1) = lambda sigma^2 / (eta - gamma tau / 2).
    squared = _REAL.multiply(impact.volatility, impact.volatility)
    minded = _REAL.divide(_REAL.multiply(impact.risk_aversion, squared), reduced)
    bend = _REAL.multiply(minded, _REAL.multiply(tau, tau))
    cosh = _REAL.add(ONE, _REAL.divide(bend, _TWO))
    second = _chebyshev(cosh, intervals)
    if not second[-1]:
        raise ValueError("risk_aversion: for this one, no trajectory is stationary (kappa T is a multiple of pi)")
    scale = _REAL.divide(units, second[-1])
    holdings = (units, *(_REAL.multiply(scale, value) for value in reversed(second[:-1])), ZERO)
    trades = tuple(_REAL.subtract(before, after) for before, after in pairwise(holdings))
    real, imaginary = _arcosh(cosh)
    return Trajectory(
        kappa=_REAL.divide(real, tau),
        kappa_imaginary=_REAL.divide(imaginary, tau),
        holdings=holdings,
        trades=trades,
        expected_cost=_expected(units, trades, tau, reduced, impact),
        variance=_REAL.multiply(_REAL.multiply(squared, tau), _sum_of_squares(holdings[1:])),
        minimum=all(value > ZERO for value in second),
    )


@lru_cache(maxsize=1024)
def decline(intervals: int, strength: Decimal) -> tuple[int, ...]:
    """Cumulative parts of the quantity traded after each interval, where kappa T is `strength` (0: a straight line)."""
    angle = _REAL.divide(strength, Decimal(intervals))
    up = _REAL.exp(angle)
    second = _chebyshev(_REAL.divide(_REAL.add(up, _REAL.divide(ONE, up)), _TWO), intervals)
    return parts_traded(tuple(reversed([ZERO, *second])))


def parts_traded(holdings: tuple[Decimal, ...]) -> tuple[int, ...]:
    """Cumulative parts of the quantity traded when these are the holdings; raises ValueError where they ever rise."""
    if any(after > before for before, after in pairwise(holdings)):
        raise ValueError("risk_aversion: it is so far below zero that the trajectory trades against the order")
    scale = _REAL.divide(Decimal(PARTS), holdings[0])
    traded = (_REAL.multiply(_REAL.subtract(holdings[0], held), scale) for held in holdings[:-1])
    return (*map(int, traded), PARTS)


def _chebyshev(at: Decimal, count: int) -> list[Decimal]:
    """U_0 to U_(count - 1) at a point: U_(j+1) = 2 c U_j - U_(j-1)."""
    double = _REAL.multiply(_TWO, at)
    values, before, value = [ONE], ZERO, ONE
    for _ in range(count - 1):
        before, value = value, _REAL.subtract(_REAL.multiply(double, value), before)
        values.append(value)
    return values


def _expected(units: Decimal, trades: tuple[Decimal, ...], tau: Decimal, reduced: Decimal, impact: Impact) -> Decimal:
    """E = gamma X^2 / 2 + epsilon sum |n| + (eta - gamma tau / 2) / tau sum n^2."""
    permanent = _REAL.divide(_REAL.multiply(impact.permanent, _REAL.multiply(units, units)), _TWO)
    traded = ZERO
    for trade in trades:
        traded = _REAL.add(traded, _REAL.abs(trade))
    temporary = _REAL.multiply(_REAL.divide(reduced, tau), _sum_of_squares(trades))
    return _REAL.add(_REAL.add(permanent, _REAL.multiply(impact.fixed, traded)), temporary)


def _sum_of_squares(values: tuple[Decimal, ...]) -> Decimal:
    total = ZERO
    for value in values:
        total = _REAL.fma(value, value, total)
    return total


def _arcosh(value: Decimal) -> tuple[Decimal, Decimal]:
    """The inverse hyperbolic cosine of any real number: real and imaginary part, neither negative."""
    size = _REAL.abs(value)
    real = ZERO
    if size > ONE:
        root = _REAL.sqrt(_REAL.multiply(_REAL.subtract(size, ONE), _REAL.add(size, ONE)))
        real = _REAL.ln(_REAL.add(size, root))
    if value >= ONE:
        return real, ZERO
    # arccos v = 4 arctan of the tangent of a quarter of it; the half-angle's tangent is sqrt((1 - v) / (1 + v)).
    clipped = max(value, -ONE)
    cosine = _REAL.sqrt(_REAL.divide(_REAL.add(ONE, clipped), _TWO))
    sine = _REAL.sqrt(_REAL.divide(_REAL.subtract(ONE, clipped), _TWO))
    return real, _REAL.multiply(Decimal(4), _arctan(_REAL.divide(sine, _REAL.add(ONE, cosine))))


def _arctan(value: Decimal) -> Decimal:
    """The arctangent of a number from 0 to 1: halved until its series is short, then summed."""
    halvings = 8
    for _ in range(halvings):
        value = _REAL.divide(value, _REAL.add(ONE, _REAL.sqrt(_REAL.fma(value, value, ONE))))
    square = _REAL.minus(_REAL.multiply(value, value))
    total, power, index = value, value, 1
    while True:
        power = _REAL.multiply(power, square)
        index += 2
        more = _REAL.add(total, _REAL.divide(power, Decimal(index)))
        if more == total:
            return _REAL.multiply(total, Decimal(2**halvings))
        total = more
