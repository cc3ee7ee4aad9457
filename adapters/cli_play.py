"""`tradewright play`: recorded market data onto the bus, at a chosen pace, as a feed would bring it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from adapters.bus.frames import PublishBuffer
from adapters.bus.wire import Wire, WireError
from adapters.cli_bus import CONNECT_S, SubmitError, bus
from adapters.market.player import QuoteTerms, play, subject, with_quotes
from adapters.market.recorded import RecordedError, Recording, read, sample_bars
from engine.codec import encode_message


def run_play(
    config: Path, data: Path, files: Sequence[Path], exchange: str | None, per_second: float, speed: float
) -> int:
    """Plays files (the sample bars where none is named); bars are followed by a quote derived from each."""
    try:
        url, prefix = bus(config, data)
        messages = read(*(Recording(path=path, exchange=exchange) for path in files)) if files else sample_bars()
        sent = uvloop.run(_play(url, prefix, messages, per_second, speed))
    except (SubmitError, WireError, RecordedError, ValueError) as error:
        sys.stderr.write(f"tradewright: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    sys.stdout.write(f"{sent} messages played\n")
    return 0


async def _play(url: Any, prefix: str, messages: Any, per_second: float, speed: float) -> int:
    wire = Wire(url, name="tradewright-play", on_error=lambda _: None)
    await wire.connect(CONNECT_S)
    sent = 0
    try:
        async for batch in play(with_quotes(messages, QuoteTerms(), bars=True), speed=speed, per_second=per_second):
            buffer = PublishBuffer()
            for message in batch:
                buffer.pub(subject(message, prefix).encode(), encode_message(message))
            if not wire.publish(buffer):
                raise WireError("the bus is gone: is the daemon still running?")
            await wire.drain()
            sent += len(batch)
    finally:
        await wire.close()
    return sent
