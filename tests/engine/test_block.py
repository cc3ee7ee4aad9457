"""One order for many: every share and every digit of its fills is somebody's, whatever came in which order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.allocate import allocate
from engine.block import (
    GRAIN,
    Block,
    Claim,
    Member,
    Tally,
    apportion,
    counted,
    fills,
    lot_for,
    settle,
    share_out,
)
from engine.methods import AvailableEquity, Equal, GroupMethod, NetLiquidation, PercentChange, Ratio
from engine.refusal import Refusal
from engine.sizing import Facts, Share, Sized
from engine.values import EXACT, summed
from tests.engine.test_allocate import instrument, request

D = Decimal
ONE_LOT = D(1)


def block(*wanted: str, lot: str = "1", block_id: str = "b-1") -> Block:
    return Block(block_id, D(lot), tuple(Claim(f"s{index}", D(want)) for index, want in enumerate(wanted)))


def tally(*trades: tuple[str, str, str]) -> Tally:
    found = Tally()
    for quantity, price, commission in trades:
        found = counted(found, D(quantity), D(price), D(commission))
    return found


def group(method: type[GroupMethod], *figures: str) -> list[Member]:
    return [
        Member(
            subscriber_id=f"s{index}",
            allocation=Ratio(D(figure)) if method is Ratio else method(),  # type: ignore[call-arg]
            net_liquidation=D(figure) if method is NetLiquidation else None,
            available_equity=D(figure) if method is AvailableEquity else None,
        )
        for index, figure in enumerate(figures)
    ]


def awards(total: str, members: Sequence[Member], lot: str = "1", block_id: str = "b-1") -> list[Decimal]:
    shares = share_out(block_id, D(total), D(lot), members)
    assert isinstance(shares, dict)
    assert list(shares) == [member.subscriber_id for member in members]
    return [share.quantity for share in shares.values()]


# Interactive Brokers' published examples.


def test_400_shares_over_six_accounts_are_66_each_and_one_more_each_for_four() -> None:
    found = awards("400", group(Equal, *"111111"))
    assert sorted(found) == [66, 66, 67, 67, 67, 67]


@pytest.mark.parametrize(
    ("method", "figures", "total", "expected"),
    [
        (Equal, ("1", "1", "1", "1"), "400", [100, 100, 100, 100]),
        (NetLiquidation, ("25000", "50000", "100000"), "700", [100, 200, 400]),
        (AvailableEquity, ("25000", "50000", "100000"), "700", [100, 200, 400]),
        (Ratio, ("4", "2", "1", "1"), "1000", [500, 250, 125, 125]),
        (Ratio, ("25", "25", "25", "25"), "1000", [250, 250, 250, 250]),
        (NetLiquidation, ("25000.5", "50001", "100002.00"), "700", [100, 200, 400]),
        (NetLiquidation, ("100", "-100", "0"), "7", [7, 0, 0]),
        (Ratio, ("3", "2", "2"), "10", [4, 3, 3]),
    ],
)
def test_a_total_is_shared_by_the_groups_figures(
    method: type[GroupMethod], figures: tuple[str, ...], total: str, expected: list[int]
) -> None:
    assert awards(total, group(method, *figures)) == expected


def test_a_percent_change_makes_the_blocks_total() -> None:
    claims = []
    for name, held in (("a", 100), ("b", 400), ("c", 200)):
        sized = allocate(request(), PercentChange(D("0.5")), instrument(), None, None, D(0), Facts(held=D(held)))
        assert isinstance(sized, Sized)
        claims.append(Claim(name, sized.quantity))
    assert [claim.quantity for claim in claims] == [50, 200, 100]


def test_an_award_is_sized_with_its_arithmetic() -> None:
    shares = share_out("b-1", D(700), ONE_LOT, group(NetLiquidation, "25000", "50000", "100000"))
    assert isinstance(shares, dict)
    assert shares["s1"] == Share(D(200), D(700), D(50000), D(175000))
    sized = allocate(request(), NetLiquidation(), instrument(), None, None, D(0), Facts(share=shares["s1"]))
    assert isinstance(sized, Sized)
    assert sized.sizing.sentence() == "50000 / 175000 of 700 by largest remainder = 200, floored to lot 1: 200"


def test_a_tie_does_not_always_favour_the_same() -> None:
    lucky = {awards("1", group(Equal, *"1111"), block_id=f"b-{n}").index(D(1)) for n in range(50)}
    assert lucky == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("total", "members", "code", "names"),
    [
        ("0", group(Equal, "1"), "BAD_QUANTITY", "got 0"),
        ("400.5", group(Equal, "1"), "OFF_LOT", "400.5 of block b-1"),
        ("400", group(Equal, "1") + group(Ratio, "1", "1")[1:], "MIXED_METHODS", "not Equal, Ratio"),
        ("400", group(NetLiquidation, "0", "-5"), "NO_EQUITY", "nobody"),
        (
            "400",
            [*group(NetLiquidation, "5"), Member(subscriber_id="x", allocation=NetLiquidation())],
            "NO_EQUITY",
            "figure of x is unknown",
        ),
    ],
)
def test_a_total_that_cannot_be_shared_is_refused(total: str, members: list[Member], code: str, names: str) -> None:
    found = share_out("b-1", D(total), ONE_LOT, members)
    assert isinstance(found, Refusal)
    assert found.code == code
    assert names in found.reason


# Fills.


def test_everyone_gets_the_average_price_and_a_share_of_the_commission() -> None:
    wanted, filled = block("50", "200", "100"), tally(("150", "10", "1.50"), ("200", "10.70", "2.00"))
    parts = settle(wanted, filled)
    assert [(part.quantity, part.notional, part.commission) for part in parts] == [
        (D(50), D(520), D("0.5")),
        (D(200), D(2080), D(2)),
        (D(100), D(1040), D(1)),
    ]
    assert [fills(part, wanted.lot) for part in parts] == [
        ((D(50), D("10.4")),),
        ((D(200), D("10.4")),),
        ((D(100), D("10.4")),),
    ]


def test_an_average_that_is_no_decimal_is_booked_a_grain_apart() -> None:
    wanted, filled = block("2", "1"), tally(("1", "10", "0"), ("2", "10.01", "1"))
    assert filled.average_price == D("10.0066666667")
    parts = settle(wanted, filled)
    assert sum(part.notional for part in parts) == D("30.02")
    assert sum(part.commission for part in parts) == 1
    assert {price for part in parts for _, price in fills(part, ONE_LOT)} <= {
        D("10.006666666666"),
        D("10.006666666667"),
    }


def test_nothing_filled_is_nothing_for_everyone() -> None:
    for part in settle(block("6", "2"), Tally()):
        assert (part.quantity, part.notional, part.commission) == (D(0), D(0), D(0))
        assert fills(part, ONE_LOT) == ()
    assert Tally().average_price is None


def test_an_overfill_is_shared_too() -> None:
    assert [part.quantity for part in settle(block("6", "2"), tally(("12", "5", "0")))] == [9, 3]


def test_an_overfill_is_for_all_who_ordered_once_everyone_has_what_was_wanted() -> None:
    """Who still wants one lot does not get all five that came too late."""
    claims = Claim("a", D(0), D(6)), Claim("b", D(1), D(3))
    parts = settle(Block(block_id="late", lot=ONE_LOT, claims=claims), tally(("4", "5", "0")))
    assert [part.quantity for part in parts] == [2, 2]


def test_fills_off_the_grid_of_the_lot_given_are_an_error() -> None:
    with pytest.raises(ValueError, match="not a multiple"):
        settle(block("6", "2"), tally(("1.5", "10", "0")))


@pytest.mark.parametrize("lot", ["1", "3", "100", "0.001"])
@pytest.mark.parametrize(
    "trade",
    [
        ("1.5", "10", "0"),
        ("1", "0.0000000000001", "0"),
        ("1", "1", "0.0000000000001"),
        ("0.00000000000000001", "7.77", "-1"),
        ("3", "0.0000000000001", "0"),
    ],
)
def test_a_lot_is_found_that_any_fill_is_on_the_grid_of(lot: str, trade: tuple[str, str, str]) -> None:
    claims, filled = (Claim("a", D(600)), Claim("b", D(300)), Claim("c", D(300))), tally(trade)
    found = lot_for(D(lot), claims, filled)
    parts = settle(Block(block_id="odd", lot=found, claims=claims), filled)
    booked = [pair for part in parts for pair in fills(part, found)]
    assert sum(Fraction(quantity) for quantity, _ in booked) == Fraction(filled.quantity)
    assert sum(Fraction(quantity) * Fraction(price) for quantity, price in booked) == Fraction(filled.notional)
    assert sum(Fraction(part.commission) for part in parts) == Fraction(filled.commission)


def test_numbers_that_come_out_even_stay_short() -> None:
    (part,) = settle(block("300"), tally(("300", "100.00", "3.00")))
    assert (str(part.quantity), str(part.notional), str(part.commission)) == ("300", "30000", "3")
    assert str(fills(part, ONE_LOT)) == "((Decimal('300'), Decimal('100')),)"


# Properties.

LOTS = st.sampled_from(["1", "100", "0.001", "7", "0.000000000001"])
WANTS = st.lists(st.integers(1, 400), min_size=1, max_size=12)
TRADE = st.tuples(
    st.integers(1, 300),
    st.integers(-(10**6), 10**15).map(lambda n: EXACT.scaleb(D(n), -12)),
    st.integers(-(10**13), 10**13).map(lambda n: EXACT.scaleb(D(n), -12)),
)
TRADES = st.lists(TRADE, max_size=8)


def wanted_and_filled(wants: list[int], lot: str, trades: list[tuple[int, Decimal, Decimal]]) -> tuple[Block, Tally]:
    wanted = Block("b-1", D(lot), tuple(Claim(f"s{n}", EXACT.multiply(D(w), D(lot))) for n, w in enumerate(wants)))
    filled = Tally()
    for lots, price, commission in trades:
        filled = counted(filled, EXACT.multiply(D(lots), D(lot)), price, commission)
    return wanted, filled


def whole(wanted: Block) -> Decimal:
    return summed(claim.quantity for claim in wanted.claims)


@given(WANTS, LOTS, TRADES)
@settings(deadline=None)
def test_every_share_and_every_digit_is_somebodys(
    wants: list[int], lot: str, trades: list[tuple[int, Decimal, Decimal]]
) -> None:
    wanted, filled = wanted_and_filled(wants, lot, trades)
    parts = settle(wanted, filled)
    assert summed([part.quantity for part in parts]) == filled.quantity
    assert summed([part.notional for part in parts]) == filled.notional
    assert summed([part.commission for part in parts]) == filled.commission
    for claim, part in zip(wanted.claims, parts, strict=True):
        quota = Fraction(claim.quantity) * Fraction(filled.quantity) / Fraction(whole(wanted))
        assert abs(Fraction(part.quantity) - quota) < Fraction(D(lot))
        assert EXACT.remainder(part.quantity, D(lot)) == 0
        if part.quantity:
            off = Fraction(part.notional) - Fraction(filled.notional) * Fraction(part.quantity) / Fraction(
                filled.quantity
            )
            assert abs(off) < Fraction(D(lot)) * Fraction(GRAIN)


@given(WANTS, LOTS, TRADES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_fills_does_not_matter(
    wants: list[int], lot: str, trades: list[tuple[int, Decimal, Decimal]], chance: object
) -> None:
    wanted, filled = wanted_and_filled(wants, lot, trades)
    mixed = list(trades)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    _, other = wanted_and_filled(wants, lot, mixed)
    assert settle(wanted, filled) == settle(wanted, other)


@given(WANTS, LOTS, TRADES)
@settings(deadline=None)
def test_a_part_is_booked_by_at_most_two_fills_a_grain_apart(
    wants: list[int], lot: str, trades: list[tuple[int, Decimal, Decimal]]
) -> None:
    wanted, filled = wanted_and_filled(wants, lot, trades)
    for part in settle(wanted, filled):
        booked = fills(part, wanted.lot)
        assert len(booked) <= 2
        assert summed([quantity for quantity, _ in booked]) == part.quantity
        assert summed([EXACT.multiply(quantity, price) for quantity, price in booked]) == part.notional
        assert all(quantity > 0 and EXACT.remainder(quantity, D(lot)) == 0 for quantity, _ in booked)
        assert len(booked) < 2 or EXACT.subtract(booked[1][1], booked[0][1]) == GRAIN


@given(WANTS, st.data())
@settings(deadline=None)
def test_a_block_settled_in_waves_ends_with_exactly_what_was_wanted(wants: list[int], data: st.DataObject) -> None:
    wanted, _ = wanted_and_filled(wants, "1", [])
    given_: dict[str, Decimal] = {}
    wave, left = 1, wanted
    while True:
        lots = data.draw(st.integers(1, int(whole(left))))
        parts = settle(left, tally((str(lots), "10", "0")))
        for claim, part in zip(left.claims, parts, strict=True):
            assert 0 <= part.quantity <= claim.quantity
            given_[part.subscriber_id] = given_.get(part.subscriber_id, D(0)) + part.quantity
        wave += 1
        claims = tuple(
            Claim(claim.subscriber_id, claim.quantity - part.quantity)
            for claim, part in zip(left.claims, parts, strict=True)
            if part.quantity < claim.quantity
        )
        if not claims:
            break
        left = Block(f"b-{wave}", ONE_LOT, claims)
    assert given_ == {claim.subscriber_id: claim.quantity for claim in wanted.claims}


@given(st.integers(-(10**6), 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_an_apportionment_is_whole_and_within_one_of_the_quota(amount: int, weights: list[int]) -> None:
    if not any(weights):
        weights = [*weights, 1]
    parts = apportion(amount, weights, lambda index: bytes([index]))
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1
        assert weight or not part


def test_something_for_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 cannot be shared among nobody"):
        apportion(5, [0, 0], lambda _: b"")
    assert apportion(0, [0, 0], lambda _: b"") == [0, 0]
