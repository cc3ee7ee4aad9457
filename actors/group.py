"""A group of orders: what happens to one of them decides here about the others.

What follows from what is `engine.groups`. A group is loaded when one of its orders, or a command, tells it something:
it has no time of its own, so at a restart nothing has to be done for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from actors.actor import Actor
from actors.turn import Turn
from engine import groups
from engine.commands import CancelOrder, CommandDone, ReviewReplace
from engine.grouping import (
    CancelGroup,
    GroupMoved,
    JoinGroup,
    MemberEnded,
    MemberFilled,
    MemberReplaced,
    RefuseMember,
    ReleaseOrder,
    ResizeOrder,
)
from engine.groups import Group, GroupAction
from engine.refusal import Refusal


class GroupActor(Actor):
    """`group/<subscriber_id>/<group_id>`: its orders tell it what becomes of them, and it tells them what to do."""

    __slots__ = ()
    kind = "group"
    PARTS: ClassVar[Any] = {"": Group}

    @property
    def group(self) -> Group | None:
        """The group, or None before its first order."""
        return self.parts.get("")

    def _join(self, message: JoinGroup, turn: Turn) -> None:
        name = message.order_id
        step = groups.join(
            self.group, message.membership, name, message.quantity, message.instrument, message.side, message.lot
        )
        if isinstance(step, Refusal):
            # The subscriber asked the group before, unless it was not in memory: the order was never sent.
            turn.tell(f"order/{name}", RefuseMember(code=step.code, reason=step.reason))
            return
        after, actions = step
        self._moved(after, actions, f"{name} joined", turn)
        waits = any(member.order_id == name and member.standing == "HELD" for member in after.members)
        if not waits and not any(isinstance(one, groups.ReleaseMember) and one.order_id == name for one in actions):
            turn.tell(f"order/{name}", ReleaseOrder(quantity=message.quantity))

    def _filled(self, message: MemberFilled, turn: Turn) -> None:
        if self.group is not None:
            after, actions = groups.on_fill(self.group, message.order_id, message.quantity)
            self._moved(after, actions, f"{message.order_id} filled {message.quantity}", turn)

    def _ended(self, message: MemberEnded, turn: Turn) -> None:
        if self.group is not None:
            after, actions = groups.on_end(self.group, message.order_id, message.how)
            self._moved(after, actions, f"{message.order_id} ended {message.how}", turn)

    def _replaced(self, message: MemberReplaced, turn: Turn) -> None:
        if self.group is not None:
            after, actions = groups.on_replace(self.group, message.order_id, message.quantity)
            self._moved(after, actions, f"{message.order_id} is for {message.quantity}", turn)

    def _cancel(self, message: CancelGroup, turn: Turn) -> None:
        command = message.command
        step = groups.cancel(self.group, command.group_id or "")
        code = reason = None
        if isinstance(step, Refusal):
            code, reason = step.code, step.reason
        else:
            self._moved(*step, f"command {command.command_id}", turn)
        done = CommandDone(command=command, reply_to=message.reply_to, code=code, reason=reason, order_id="")
        turn.tell(f"subscriber/{command.subscriber_id}", done)

    def _review(self, message: ReviewReplace, turn: Turn) -> None:
        """A client wants an order of the group to be another: judged with the group in memory."""
        turn.tell(f"subscriber/{message.command.subscriber_id}", message)

    def _moved(self, after: Group, actions: Sequence[GroupAction], cause: str, turn: Turn) -> None:
        """Records what the group is now, and does what follows."""
        if after != self.group:
            turn.record(GroupMoved(at=turn.now, group=after, cause=cause))
        for action in actions:
            match action:
                case groups.ReleaseMember(order_id, quantity):
                    turn.tell(f"order/{order_id}", ReleaseOrder(quantity=quantity))
                case groups.ResizeMember(order_id, quantity):
                    turn.tell(f"order/{order_id}", ResizeOrder(quantity=quantity))
                case groups.CancelMember(order_id, reason):
                    turn.tell(f"order/{order_id}", CancelOrder(reason=reason))
                case groups.Overfilled(quantity, reason):
                    turn.alarm("GROUP_OVERFILLED", self.address, f"{quantity} more than it was for: {reason}")
                case groups.Uncovered(quantity):
                    text = f"{quantity} of the parent were filled after its children were over: nothing covers them"
                    turn.alarm("GROUP_UNCOVERED", self.address, text)

    def _fold(self, event: GroupMoved) -> None:
        self.put("", event.group)

    RECEIVE: ClassVar[Any] = {
        JoinGroup: _join,
        MemberFilled: _filled,
        MemberEnded: _ended,
        MemberReplaced: _replaced,
        CancelGroup: _cancel,
        ReviewReplace: _review,
    }
    APPLY: ClassVar[Any] = {GroupMoved: _fold}
