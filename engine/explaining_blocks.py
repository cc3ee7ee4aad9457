"""Which block an order is a part of and how that was shared, told from where the block and its orders stand."""

from __future__ import annotations

from engine import blocks as b
from engine.block import Block, Claim, Part, Tally, awarded, drawn, sentence
from engine.commands import Ticket
from engine.order import Order
from engine.sizing import Sizing, plain
from engine.values import subtract


def shared(signal: tuple[str, str], subscriber_id: str, sizing: Sizing, parts: b.Parts) -> str:
    """In words, who shared a (strategy's, signal's) total with this subscriber."""
    name = b.block_id(*signal)
    members = b.measured(parts)
    if not members:
        return f"{name}, which is in the store of another partition"
    luck = awarded(sizing.base, sizing.lot, members, subscriber_id)
    return f"{name}: {plain(sizing.base)} shared over {len(members)}{f'; {luck}' if luck else ''}"


def part_of(ticket: Ticket, parts: b.Parts, mine: Order | None, whole: Order | None) -> str:
    """In words, how the order of this ticket (`mine`) is a part of its block. `parts` are the block's, none where
    another partition has it, and `whole` is the block's own order, as far as there is one."""
    name, order = b.block_id(ticket.strategy_id, ticket.signal_id), b.order_of(parts, ticket)
    gathered: b.Gathered | None = parts.get("")
    if gathered is None:
        return f"{name}, which is in the store of another partition"
    if order is None:
        if gathered.phase == "SIZING":
            return f"{name}, which waits for {gathered.waiting} of those who follow the strategy"
        return f"{name}, which made no order of it{f': {mine.reason}' if mine is not None and mine.reason else ''}"
    wants = tuple(Claim(who, member.quantity) for who, member in sorted(dict(b.of(parts, order.ticket)).items()))
    whole_id = order.ticket.order_id
    worked = f"{name}, worked as {whole_id} for {len(wants)}"
    if whole is None or mine is None:
        return worked
    if not order.settlements:
        filled = f"{plain(whole.filled)} of {plain(whole.quantity)} filled so far"
        return f"{worked}: {filled}, which is nobody's before it is over"
    # What is filled and not yet shared is in the order's tally.
    tally = Tally(
        quantity=subtract(whole.filled, order.tally.quantity),
        notional=subtract(whole.notional, order.tally.notional),
        commission=subtract(whole.commission, order.tally.commission),
    )
    part = Part(
        subscriber_id=ticket.subscriber_id, quantity=mine.filled, notional=mine.notional, commission=mine.commission
    )
    block, claim = Block(f"{whole_id}/0", order.lot, wants), Claim(ticket.subscriber_id, ticket.quantity)
    text = f"{worked}: {sentence(block, tally, claim, part)}"
    if order.settlements > 1:
        return f"{text}; shared at its end, and {order.settlements - 1} times since"
    luck = drawn(block, tally, claim)
    return f"{text}; {luck}" if luck else text
