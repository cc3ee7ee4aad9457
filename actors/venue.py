"""A venue as the partition sees it: its session, the last-hop gate, and reconciliation when the session comes up."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from msgspec.structs import replace

from actors import regimes
from actors.actor import Actor
from actors.turn import Turn
from engine import gate
from engine.commands import (
    AllowParent,
    AskAbout,
    CancelChild,
    GiveBack,
    Recover,
    ReplaceChild,
    SetStatus,
    SubmitChild,
)
from engine.controls import Controls
from engine.events import ChildSent, ChildStopped, VenueDown, VenueStatusChanged, VenueUp
from engine.gate import Allowance, Venue
from engine.messages import Outcome
from engine.reports import (
    CancelVenueOrder,
    Reconcile,
    Rejected,
    ReplaceRejected,
    ReplaceVenueOrder,
    SessionDown,
    SessionUp,
    SubmitOrder,
)
from engine.values import ZERO, add, subtract
from engine.work import GivenBack, ParentAllowed

RECONCILE_AT_ONCE: Final = 1000


class VenueActor(Actor):
    """`venue/<name>`: nothing reaches the venue's adapter (`port/<name>`) but through this gate."""

    __slots__ = ("_port",)
    kind = "venue"
    PARTS: ClassVar[Any] = {"": Venue, "parent": Allowance}
    resident = True

    def __init__(self, address: str, parts: dict[str, Any]) -> None:
        super().__init__(address, parts)
        self._port = f"port/{self.id}"

    @property
    def venue(self) -> Venue:
        """The gate's memory."""
        venue: Venue | None = self.parts.get("")
        return Venue(name=self.id, reason="not connected yet") if venue is None else venue

    def _switches(self, turn: Turn) -> tuple[bool, Controls | None]:
        """Whether all is killed, and what else the desk has in force."""
        desk = turn.peek("desk/main")
        return (False, None) if desk is None else (desk.killed, desk.controls)

    def _submit(self, message: SubmitChild, turn: Turn) -> None:
        ticket, order_id = message.ticket, message.client_order_id
        killed, controls = self._switches(turn)
        refusal = gate.check(
            self.venue,
            killed,
            ticket,
            order_id,
            message.quantity,
            message.limit_price,
            message.resend,
            controls,
        )
        if refusal is None and ticket.parent:
            refusal = gate.late(ticket, turn.now)
            if refusal is None and not message.resend:
                refusal = gate.check_child(self.parts.get(f"parent/{ticket.parent}"), ticket, message.quantity)
        if refusal is None and controls is not None and not message.resend:
            refusal = regimes.refuses(ticket, message.quantity, turn)
        if refusal is not None:
            event = ChildStopped(
                at=turn.now, venue=self.id, client_order_id=order_id, code=refusal.code, reason=refusal.reason
            )
            turn.record(event)
            if message.resend:
                return  # the first sending may yet arrive, so this is no rejection: the order goes on asking
            reason = f"{refusal.code}: {refusal.reason}"
            turn.tell(f"order/{order_id}", Rejected(client_order_id=order_id, reason=reason, at=turn.now))
            return
        sent = ChildSent(at=turn.now, venue=self.id, client_order_id=order_id, resend=message.resend)
        if ticket.parent and not message.resend:
            sent = replace(sent, parent=ticket.parent, quantity=message.quantity)
        turn.record(sent)
        turn.tell(
            self._port,
            SubmitOrder(
                client_order_id=order_id,
                account=ticket.account,
                exchange=ticket.exchange,
                symbol=ticket.symbol,
                currency=ticket.currency,
                multiplier=ticket.multiplier,
                side=ticket.side,
                quantity=message.quantity,
                order_type=ticket.order_type,
                limit_price=message.limit_price,
                time_in_force=ticket.time_in_force,
                expires_at=ticket.expires_at,
                short_sale=ticket.short_sale,
                native=ticket.native,
            ),
        )

    def _cancel(self, message: CancelChild, turn: Turn) -> None:
        """Cancels always pass; while the session is down, reconciliation repeats them."""
        if self.venue.up:
            turn.tell(
                self._port,
                CancelVenueOrder(client_order_id=message.client_order_id, venue_order_id=message.venue_order_id),
            )

    def _replace(self, message: ReplaceChild, turn: Turn) -> None:
        order_id = message.client_order_id
        venue = replace(self.venue, last_order_id="")
        killed, controls = self._switches(turn)
        refusal = gate.check(
            venue,
            killed,
            message.ticket,
            order_id,
            message.quantity,
            message.limit_price,
            False,
            controls,
        )
        refusal = refusal or gate.late(message.ticket, turn.now)
        if refusal is not None:
            reason = f"{refusal.code}: {refusal.reason}"
            turn.tell(f"order/{order_id}", ReplaceRejected(client_order_id=order_id, reason=reason, at=turn.now))
            return
        turn.tell(
            self._port,
            ReplaceVenueOrder(
                client_order_id=order_id,
                venue_order_id=message.venue_order_id,
                quantity=message.quantity,
                limit_price=message.limit_price,
            ),
        )

    def _ask(self, message: AskAbout, turn: Turn) -> None:
        if self.venue.up:
            turn.tell(self._port, Reconcile(client_order_ids=(message.client_order_id,)))

    def _session_up(self, message: SessionUp, turn: Turn) -> None:
        turn.record(VenueUp(at=turn.now, venue=self.id, capabilities=message.capabilities))
        mine = []
        for address in turn.residents("order"):
            order = turn.peek(address)
            if order is not None and order.open and order.ticket.venue == self.id:
                turn.tell(address, Recover())
                if order.at_venue:
                    mine.append(address[6:])
        for first in range(0, len(mine), RECONCILE_AT_ONCE):
            turn.tell(self._port, Reconcile(client_order_ids=tuple(mine[first : first + RECONCILE_AT_ONCE])))

    def _session_down(self, message: SessionDown, turn: Turn) -> None:
        if self.venue.up:
            turn.record(VenueDown(at=turn.now, venue=self.id, reason=message.reason))
            turn.alarm("VENUE_DOWN", self.id, message.reason)

    def _recover(self, _: Recover, turn: Turn) -> None:
        if self.venue.up:
            turn.record(VenueDown(at=turn.now, venue=self.id, reason="the engine restarted"))

    def _set_status(self, message: SetStatus, turn: Turn) -> None:
        if message.status not in ("ACTIVE", "PAUSED"):
            reason = f"status: a venue is ACTIVE or PAUSED, got {message.status}"
            turn.reply(Outcome(request_id=None, status="INVALID", code="BAD_STATUS", reason=reason))
            return
        if self.venue.paused != (message.status == "PAUSED"):
            turn.record(
                VenueStatusChanged(
                    at=turn.now, venue=self.id, status=message.status, reason=message.reason, by=message.by
                )
            )
        turn.reply(Outcome(request_id=None, status="ACCEPTED", reason=f"venue {self.id} is {message.status}"))

    def _allow(self, message: AllowParent, turn: Turn) -> None:
        turn.record(ParentAllowed(at=turn.now, venue=self.id, order_id=message.order_id, quantity=message.quantity))

    def _give_back(self, message: GiveBack, turn: Turn) -> None:
        if f"parent/{message.order_id}" in self.parts:
            turn.record(GivenBack(at=turn.now, venue=self.id, order_id=message.order_id, quantity=message.quantity))

    def _allowed(self, event: ParentAllowed) -> None:
        part = f"parent/{event.order_id}"
        if event.quantity:
            known = self.parts.get(part, Allowance(quantity=ZERO))
            self.put(part, replace(known, quantity=event.quantity))
        elif part in self.parts:
            self.drop(part)

    def _given_back(self, event: GivenBack) -> None:
        part = f"parent/{event.order_id}"
        known = self.parts[part]
        self.put(part, replace(known, out=subtract(known.out, event.quantity)))

    def _sent(self, event: ChildSent) -> None:
        venue = self.venue
        last = venue.last_order_id if event.resend else event.client_order_id
        self.put("", replace(venue, last_order_id=last, sent=venue.sent + 1))
        if event.parent:
            self._out(event)

    def _out(self, event: ChildSent) -> None:
        part = f"parent/{event.parent}"
        known = self.parts[part]
        self.put(part, replace(known, out=add(known.out, event.quantity)))

    def _stopped(self, _: ChildStopped) -> None:
        """What the gate stops changes nothing at the venue."""

    def _up(self, event: VenueUp) -> None:
        can = event.capabilities
        self.put("", replace(self.venue, up=True, reason="", capabilities=can))

    def _down(self, event: VenueDown) -> None:
        self.put("", replace(self.venue, up=False, reason=event.reason))

    def _status_changed(self, event: VenueStatusChanged) -> None:
        self.put("", replace(self.venue, paused=event.status == "PAUSED", reason=event.reason))

    RECEIVE: ClassVar[Any] = {
        SubmitChild: _submit,
        CancelChild: _cancel,
        ReplaceChild: _replace,
        AskAbout: _ask,
        SessionUp: _session_up,
        SessionDown: _session_down,
        Recover: _recover,
        SetStatus: _set_status,
        AllowParent: _allow,
        GiveBack: _give_back,
    }
    APPLY: ClassVar[Any] = {
        ChildSent: _sent,
        ChildStopped: _stopped,
        VenueUp: _up,
        VenueDown: _down,
        VenueStatusChanged: _status_changed,
        ParentAllowed: _allowed,
        GivenBack: _given_back,
    }
