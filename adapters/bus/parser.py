"""The parser of the NATS protocol, with a short cut: a message for a sink goes there without an await or an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

Sink: TypeAlias = Callable[[str, bytes, bytes | None, bytes], None]
"""Takes subject, reply subject (b"" if none), header block (None if none) and payload. It must not block."""


class FastParser(Parser):
    """The protocol parser of nats-py with a short cut for messages whose subscription has a sink.

    Everything else is handed to the original frame by frame, so what it means is decided in one place.
    """

    def __init__(self, client: Any) -> None:
        self._rest = b""
        self._resets = 0
        self.sinks: dict[bytes, Sink] = {}
        super().__init__(client)

    def reset(self) -> None:
        """Forget half a frame: what follows comes from another connection."""
        super().reset()
        self._rest = b""
        self._resets += 1

    async def parse(self, data: bytes = b"") -> None:
        """Take bytes as they come off the socket, in any pieces, and deliver what is complete."""
        resets = self._resets
        if self._rest:
            data = self._rest + data
            self._rest = b""
        position = 0
        while position < len(data):
            if self.buf or self.state != AWAITING_CONTROL_LINE:
                # The original took a frame that we do not know the end of: it goes on alone.
                await super().parse(data[position:])
                return
            position, frame = self._deliver(data, position)
            if not frame:
                break
            await super().parse(frame)
            if self._resets != resets:
                return
        self._rest = data[position:]

    def _deliver(self, data: bytes, position: int) -> tuple[int, bytes]:
        """Feed sinks from `position` on. Return the position reached and, if there is one, a frame for the original."""
        find, sinks, end = data.find, self.sinks, len(data)
        while (line_end := find(b"\r\n", position)) >= 0:
            words = data[position:line_end].split()
            start = line_end + 2
            try:
                operation = words[0]
                if operation != b"MSG" and operation != b"HMSG":
                    return start, data[position:start]
                stop = start + int(words[-1])
                sink = sinks.get(words[2])
            except (IndexError, ValueError):
                return start, data[position:start]
            if stop + 2 > end:
                break
            if sink is None:
                return stop + 2, data[position : stop + 2]
            position = stop + 2
            try:
                if operation == b"MSG":
                    sink(words[1].decode(), words[3] if len(words) == 5 else b"", None, data[start:stop])
                else:
                    body = start + int(words[-2])
                    reply = words[3] if len(words) == 6 else b""
                    sink(words[1].decode(), reply, data[start:body], data[body:stop])
            except Exception as error:  # noqa: BLE001 - one message must not make the connection deaf.
                self.nc.report(error)
        return position, b""
