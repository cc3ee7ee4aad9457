"""What the embedded NATS server is told: its configuration file, its two users, and the file clients find it by."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

HOST: Final = "127.0.0.1"
MAX_PAYLOAD_BYTES: Final = 4 << 20
LOG_BYTES: Final = 8 << 20
STORE_BYTES: Final = 32 << 30

_CONFIG: Final = """\
# Written by tradewright at every start; changes made here are lost.
server_name: {name}
listen: "{host}:{port}"
max_payload: {max_payload}
log_file: {log}
logfile_size_limit: {log_bytes}
logfile_max_num: 3
jetstream {{
  store_dir: {store}
  max_file_store: {store_bytes}
  max_memory_store: 67108864
  sync_interval: always
  strict: true
}}
authorization {{
  users: [
    {{ user: engine, password: {engine} }}
    {{ user: client, password: {client}, permissions: {{
      publish: {{ allow: {publish} }}
      subscribe: {{ allow: {subscribe} }}
    }} }}
  ]
}}
"""


def render(folder: Path, *, name: str, port: int, prefix: str, passwords: dict[str, str]) -> str:
    """The configuration of a server that keeps its log and its store in `folder`."""
    publish, subscribe = client_permissions(prefix)
    return _CONFIG.format(
        name=json.dumps(name), host=HOST, port=port, max_payload=MAX_PAYLOAD_BYTES,
        log=json.dumps(str(folder / "server.log")), log_bytes=LOG_BYTES,
        store=json.dumps(str(folder / "jetstream")), store_bytes=STORE_BYTES,
        engine=json.dumps(passwords["engine"]), client=json.dumps(passwords["client"]),
        publish=json.dumps(publish), subscribe=json.dumps(subscribe),
    )  # fmt: skip


def client_permissions(prefix: str) -> tuple[list[str], list[str]]:
    """What the user `client` may publish and subscribe to.

    Nothing of the JetStream API is among it, on purpose. The server sends its answers to whatever reply subject a
    client names, with its own rights: a client that may ask for an empty answer (a pull with nothing to deliver, the
    acknowledgement inside an atomic batch) may name `$JS.API.STREAM.DELETE.<stream>` as the place for it, and the
    stream is gone. For the same reason EXEC_IN does not allow atomic batches, and the API refuses unknown fields.
    """
    publish = [f"{prefix}.{verb}.>" for verb in ("in", "ask", "market")]
    return publish, [f"{prefix}.out.>", f"{prefix}.frames.>", "_INBOX.>"]


def passwords_of(endpoints: Path) -> dict[str, str]:
    """The passwords clients know already, so that they reconnect after the daemon restarts; fresh ones at first."""
    try:
        known = json.loads(endpoints.read_bytes())
        found = {"engine": urlsplit(known["url"]).password, "client": urlsplit(known["client_url"]).password}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        found = {}
    return {user: found.get(user) or secrets.token_urlsafe(32) for user in ("engine", "client")}


def write_private(path: Path, text: str) -> None:
    """Put `text` at `path` in one step, readable by its owner only."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
