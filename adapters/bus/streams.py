"""The streams behind the subjects: what they are, how they are made, and where they stand.

EXEC_IN keeps what clients were promised, so the server syncs each of its messages before it acknowledges it. The others
can be published again from the journal, so the server writes them when it finds time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from adapters.bus.wire import Wire

SECOND_NS: Final = 1_000_000_000
INPUT_DUPLICATES_S: Final = 120
OUTPUT_DUPLICATES_S: Final = 30
"""The server keeps every id of the window in memory; at 75,000 a second two minutes of them are over a gigabyte."""
API: Final = "$JS.API"
BATCHED_SINCE: Final = (2, 14)
ASYNC_SINCE: Final = (2, 12)
STREAM_NOT_FOUND: Final = 10059
NO_MESSAGE_FOUND: Final = 10037


class StreamError(Exception):
    """The server refused a request about a stream; `code` is its JetStream error code, 0 if it gave none."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class StreamPlan(NamedTuple):
    """What a stream holds and how much of it."""

    name: str
    subject: str
    max_bytes: int
    max_age_s: int
    durable: bool
    """Synced before acknowledged, and rather full than forgetful; if not, written later, the oldest dropped first."""


def plans(
    prefix: str = "exec", *, in_bytes: int = 2 << 30, in_age_s: int = 7 * 86_400, out_bytes: int = 4 << 30,
    out_age_s: int = 86_400, frames_bytes: int = 4 << 30, frames_age_s: int = 86_400, dead_bytes: int = 256 << 20,
    dead_age_s: int = 30 * 86_400,
) -> tuple[StreamPlan, ...]:  # fmt: skip
    """The four streams of a prefix: `EXEC_IN`, `EXEC_OUT`, `EXEC_FRAMES`, `EXEC_DEAD` for `exec`."""
    stem = stream_name(prefix, "")
    return (
        StreamPlan(f"{stem}IN", f"{prefix}.in.>", in_bytes, in_age_s, durable=True),
        StreamPlan(f"{stem}OUT", f"{prefix}.out.>", out_bytes, out_age_s, durable=False),
        StreamPlan(f"{stem}FRAMES", f"{prefix}.frames.>", frames_bytes, frames_age_s, durable=False),
        StreamPlan(f"{stem}DEAD", f"{prefix}.dead.>", dead_bytes, dead_age_s, durable=False),
    )


def stream_name(prefix: str, kind: str) -> str:
    """`EXEC_OUT` for ("exec", "OUT"); a prefix of several tokens is joined with underscores."""
    return f"{prefix.upper().replace('.', '_')}_{kind}"


async def ensure(wire: Wire, wanted: Sequence[StreamPlan], *, replicas: int = 1) -> None:
    """Create the streams, or bring those that exist to the wanted limits. Their messages stay."""
    for plan in wanted:
        config = _configuration(plan, wire.server_version, replicas)
        try:
            existing = (await ask(wire, f"STREAM.INFO.{plan.name}"))["config"]
        except StreamError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            await ask(wire, f"STREAM.CREATE.{plan.name}", config)
            continue
        config.pop("persist_mode", None)  # Decided for good when the stream was made.
        if any(existing.get(key) != value for key, value in config.items()):
            await ask(wire, f"STREAM.UPDATE.{plan.name}", {**existing, **config})


def _configuration(plan: StreamPlan, version: tuple[int, int], replicas: int) -> dict[str, Any]:
    duplicates_s = INPUT_DUPLICATES_S if plan.durable else OUTPUT_DUPLICATES_S
    config: dict[str, Any] = {
        "name": plan.name,
        "subjects": [plan.subject],
        "storage": "file",
        "retention": "limits",
        "discard": "new" if plan.durable else "old",
        "max_bytes": plan.max_bytes,
        "max_age": plan.max_age_s * SECOND_NS,
        "max_msgs": -1,
        "max_consumers": -1,
        "num_replicas": replicas,
        "duplicate_window": min(duplicates_s, plan.max_age_s) * SECOND_NS,
    }
    # Atomic batches stay off everywhere: see client_permissions in server_config.py.
    if not plan.durable and version >= ASYNC_SINCE and replicas == 1:
        config["persist_mode"] = "async"
    if not plan.durable and version >= BATCHED_SINCE:
        config["allow_batched"] = True
    return config


class StreamState(NamedTuple):
    """Where a stream stands. `created` tells a stream from another of the same name made after the store was lost."""

    created: str
    first_sequence: int
    last_sequence: int
    messages: int


async def state(wire: Wire, stream: str) -> StreamState:
    """The state of a stream; `StreamError` with code `STREAM_NOT_FOUND` if there is none."""
    info = await ask(wire, f"STREAM.INFO.{stream}")
    found = info["state"]
    return StreamState(str(info["created"]), int(found["first_seq"]), int(found["last_seq"]), int(found["messages"]))


async def last_sequence(wire: Wire, stream: str) -> int:
    """The sequence of the newest message ever stored in the stream, 0 if it never had one."""
    return (await state(wire, stream)).last_sequence


async def last_message_id(wire: Wire, stream: str, subject: str = ">") -> tuple[int, str] | None:
    """Sequence and `Nats-Msg-Id` ("" without one) of the newest message on a subject, which may have wildcards."""
    try:
        found = (await ask(wire, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject}))["message"]
    except StreamError as error:
        if error.code == NO_MESSAGE_FOUND:
            return None
        raise
    headers = base64.b64decode(found.get("hdrs", "")).decode().split("\r\n")
    ids = [line.partition(":")[2].strip() for line in headers if line.lower().startswith("nats-msg-id:")]
    return int(found["seq"]), ids[0] if ids else ""


async def ask(wire: Wire, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Put a request to the JetStream API and return the answer; `StreamError` if it is a refusal."""
    answer: dict[str, Any] = json.loads(await wire.request(f"{API}.{verb}", json.dumps(body).encode() if body else b""))
    if error := answer.get("error"):
        raise StreamError(f"{verb}: {error.get('description', error)}", int(error.get("err_code", 0)))
    return answer
