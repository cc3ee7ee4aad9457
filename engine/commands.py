"""What actors tell each other inside the engine: imperative, frozen, never seen by a client."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from engine.algos.contract import Works
from engine.controls import Scope
from engine.emulate import Held, Release
from engine.messages import BLOCK, ExecutionCommand, MarketData, Provenance, Subscriber
from engine.native import Native
from engine.specification import Specification
from engine.values import ZERO, OrderStatus, OrderType, Side, TimeInForce, instrument_key
from engine.working import Piece


class Command(
    Struct,
    frozen=True,
    gc=False,  # immutable values make no cycles
    forbid_unknown_fields=True,
    kw_only=True,
    tag=True,
    tag_field="type",
    omit_defaults=True,
):
    """What every command is."""


PART: Final = "part"
"""What the id of a member's order in a block begins with, in the place of a venue's name."""


class Ticket(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """An order that risk has approved: the only thing that an order can be started from.

    `reserve_price` is the price at which risk counted it, so that what is released equals what was reserved.
    `short_sale`: it opens or adds to a short position if all that works on its side fills.
    """

    order_id: str
    subscriber_id: str
    account: str
    venue: str
    exchange: str
    symbol: str
    currency: str
    multiplier: Decimal
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None
    time_in_force: TimeInForce
    leverage: Decimal | None = None
    reserve_price: Decimal
    expires_at: datetime | None = None
    short_sale: bool = False
    request_id: str
    signal_id: str
    strategy_id: str
    provenance: Provenance = Provenance()
    approved_at: datetime
    parent: str = ""
    """The order that this one is a child of, which holds the reservation."""
    ends_at: datetime | None = None
    """The end of its parent's time, from which on the gate lets nothing of it through."""
    group: str = ""
    """The group of its subscriber that it belongs to."""
    native: Native | None = None
    """What its venue is told beyond a plain order."""

    @property
    def instrument(self) -> str:
        """`exchange:symbol`."""
        return instrument_key(self.exchange, self.symbol)

    @property
    def in_block(self) -> bool:
        """Whether it is a member's order in a block: nothing of its own goes to a venue."""
        return self.order_id.startswith(f"{PART}-")

    @property
    def for_block(self) -> bool:
        """Whether it is worked for the members of a block: what it may cost is theirs."""
        return self.subscriber_id.startswith(BLOCK)

    @property
    def owner(self) -> str:
        """The address that holds its reservation and books its fills: a subscriber's, or a block's."""
        name = self.subscriber_id
        return f"block/{name}" if name.startswith(BLOCK) else f"subscriber/{name}"


class Fill(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    """One execution of an order, as the venue reported it. Commission is in `currency`, positive when paid."""

    execution_id: str
    order_id: str
    venue: str
    exchange: str
    symbol: str
    currency: str
    multiplier: Decimal
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: datetime


# subscriber -> order


class StartOrder(Command, frozen=True, kw_only=True):
    """Work this approved order."""

    ticket: Ticket


class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel what is open of this order; `reply_to` is where the outcome goes, '' for nowhere."""

    command: ExecutionCommand | None = None
    reason: str
    reply_to: str = ""


class ModifyOrder(Command, frozen=True, kw_only=True):
    """Replace quantity, limit price or both of this order, as a client commanded."""

    command: ExecutionCommand
    reply_to: str = ""


class ReplaceApproved(Command, frozen=True, kw_only=True):
    """Risk approved the replacement that the order asked about: this is the ticket it may become."""

    command: ExecutionCommand
    reply_to: str = ""
    ticket: Ticket


# an order that is worked at our side, its children and the gate


class StartWork(Command, frozen=True, kw_only=True):
    """Work this approved order at our side, as specified."""

    ticket: Ticket
    spec: Specification
    works: Works | None = None
    held: Held | None = None
    release: Release | None = None
    reason: str


class Reprice(Command, frozen=True, kw_only=True):
    """Replace this child's quantity and limit price."""

    quantity: Decimal
    limit_price: Decimal | None


class ChildReport(Command, frozen=True, kw_only=True):
    """What became of a child, told to its parent: as `engine.work.ChildMoved` has it; `reserved` is what went from the
    reservation with the released units."""

    child: Piece
    open: bool
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    commission: Decimal = ZERO
    released: Decimal = ZERO
    reserved: Decimal = ZERO
    ended: str = ""
    asked: bool = False
    """The venue has refused its cancel, or is being asked what it is: to ask for more waits for the answer."""


class AllowParent(Command, frozen=True, kw_only=True):
    """The gate lets children of this order through up to this quantity in all; 0 ends it."""

    order_id: str
    quantity: Decimal


class GiveBack(Command, frozen=True, kw_only=True):
    """A child is over: so many units of its parent were never filled by it."""

    order_id: str
    quantity: Decimal


class MarketMoved(Command, frozen=True, kw_only=True):
    """Market data that an order was waiting for."""

    data: MarketData


# order -> subscriber


class ReviewReplace(Command, frozen=True, kw_only=True):
    """May this order's remaining quantity and price become these? Answered by ReplaceApproved, or by the outcome."""

    command: ExecutionCommand
    reply_to: str = ""
    ticket: Ticket
    quantity: Decimal
    limit_price: Decimal | None
    filled: Decimal
    working: Decimal
    reserved: Decimal
    waits: bool = False
    """Its price is not of now, so that nothing says how far from the market it may be."""


class BookFill(Command, frozen=True, kw_only=True):
    """Book this fill; `working` leaves the order's reservation with it."""

    ticket: Ticket
    fill: Fill
    working: Decimal
    reserved: Decimal


class ChangeReservation(Command, frozen=True, kw_only=True):
    """Give back what an order had reserved and needs no more; negative amounts take more. `ended`: as what it is over,
    where that is why."""

    order_id: str
    exchange: str
    symbol: str
    side: Side
    working: Decimal
    reserved: Decimal
    ended: OrderStatus | None = None
    reason: str = ""


class CancelRefused(Command, frozen=True, kw_only=True):
    """The venue refused to cancel this order, which is as it was."""

    order_id: str
    exchange: str
    symbol: str
    reason: str


class CommandDone(Command, frozen=True, kw_only=True):
    """What became of a client's command on an order."""

    command: ExecutionCommand
    reply_to: str = ""
    code: str | None = None
    reason: str | None = None
    order_id: str


# strategy and subscriber


class Subscribe(Command, frozen=True, kw_only=True):
    """Send this strategy's signals to the subscriber (or stop, where not active)."""

    subscriber_id: str
    active: bool
    shares: bool = False
    """Its allocation is a share of the total of all who have one."""


# order -> venue


class SubmitChild(Command, frozen=True, kw_only=True):
    """Send this child order, after the last-hop gate; `resend` where the venue was asked and does not know it."""

    ticket: Ticket
    client_order_id: str
    quantity: Decimal
    limit_price: Decimal | None
    resend: bool = False


class CancelChild(Command, frozen=True, kw_only=True):
    """Cancel this child order at the venue."""

    client_order_id: str
    venue_order_id: str | None


class ReplaceChild(Command, frozen=True, kw_only=True):
    """Replace this child order's total quantity and limit price at the venue."""

    ticket: Ticket
    client_order_id: str
    venue_order_id: str | None
    quantity: Decimal
    limit_price: Decimal | None


class AskAbout(Command, frozen=True, kw_only=True):
    """Ask the venue what it knows of this child order."""

    client_order_id: str


# administration (the admin socket, the daemon) -> any actor


class Kill(Command, frozen=True, kw_only=True):
    """Stop all trading, or that of one subscriber, strategy, symbol or venue: new requests are denied, open orders
    cancelled. Idempotent."""

    reason: str
    by: str
    scope: Scope = "firm"
    name: str = ""


class Resume(Command, frozen=True, kw_only=True):
    """Trade again after a kill of this scope; the reason is kept."""

    reason: str
    by: str
    scope: Scope = "firm"
    name: str = ""


class SetStatus(Command, frozen=True, kw_only=True):
    """Pause, activate or close a subscriber, or pause and activate a venue."""

    status: str
    reason: str
    by: str


class Recover(Command, frozen=True, kw_only=True):
    """Told to an open order after a restart: ask again for what was being waited for."""


class Bury(Command, frozen=True, kw_only=True):
    """Keep this message, whose turn failed, as a dead letter."""

    letter_id: str
    address: str
    sender: str
    message: str
    error: str
    traceback: str
    quarantine: bool = False


class Unbury(Command, frozen=True, kw_only=True):
    """Replay a dead letter (or drop it), and let mail through to its actor again where that was quarantined."""

    letter_id: str
    by: str
    replay: bool


class RefuseInput(Command, frozen=True, kw_only=True):
    """Something came in that is no message: keep a record of it."""

    subject: str
    code: str
    reason: str
    excerpt: str


class Introduce(Command, frozen=True, kw_only=True):
    """A subscriber from the configuration: counts unless the bus has said otherwise since."""

    subscriber: Subscriber


class Tick(Command, frozen=True, kw_only=True):
    """The due time that the actor asked for has come."""
