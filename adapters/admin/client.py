"""The admin socket from the other side: a small client without an event loop, for the command line and scripts."""

from __future__ import annotations

import json
import os
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 30.0
DEFAULT_DATA: Final = "data"


class NoDaemonError(Exception):
    """Nobody answers; the text says where was looked and what to do."""


class AnswerError(Exception):
    """The daemon said no: `code` is the stable code of letters, `data` what belongs to it."""

    def __init__(self, number: int, text: str, data: dict[str, Any]) -> None:
        super().__init__(text)
        self.number = number
        self.data = data

    @property
    def code(self) -> str:
        """The most particular code that there is."""
        return str(self.data.get("refusal") or self.data.get("code") or self.number)


def data_folder(config: Path, data: Path | None) -> Path:
    """The data folder: as given, as the configuration says, else ./data. Looks at the one key, judges nothing."""
    if data is not None:
        return data
    try:
        with config.open("rb") as file:
            found = tomllib.load(file).get("service", {}).get("data", DEFAULT_DATA)
    except (OSError, ValueError, AttributeError):
        found = DEFAULT_DATA
    return Path(found if isinstance(found, str) else DEFAULT_DATA)


def socket_path(data: Path) -> Path:
    """Where the daemon on this data folder listens; raises NoDaemonError where none has started."""
    facts = data / "run" / "daemon.json"
    try:
        return Path(json.loads(facts.read_bytes())["admin_socket"])
    except FileNotFoundError:
        raise NoDaemonError(
            f"no daemon runs on {data.resolve()}: start one with `tradewright run`, or name its folder with --data"
        ) from None
    except PermissionError:
        raise NoDaemonError(f"{facts} belongs to another user; attach as the user that runs the daemon") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoDaemonError(f"{facts} cannot be read: {error}") from None


class Client:
    """One connection. `call` asks and waits; `notifications` waits for what streams send."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self._number = 0
        self._early: list[dict[str, Any]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            # A path too long for a socket address may be short enough from here.
            self._socket.connect(min(str(path), os.path.relpath(path), key=len))
        except OSError as error:
            self._socket.close()
            raise NoDaemonError(_why(path, error)) from None
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._file.close()
        self._socket.close()

    def call(self, method: str, **params: Any) -> Any:
        """The result of a method; raises AnswerError where it is refused, NoDaemonError where the connection ends."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            answer = self._left_behind()
            if answer is None:
                raise NoDaemonError(_why(self.path, error)) from None
        else:
            answer = self._answer()
        if "error" in answer:
            error_ = answer["error"]
            raise AnswerError(error_["code"], error_["message"], error_.get("data") or {})
        return answer["result"]

    def notifications(self) -> Iterator[dict[str, Any]]:
        """What streams send, for as long as the connection lasts."""
        while self._early:
            yield self._early.pop(0)
        self._socket.settimeout(None)
        try:
            while True:
                yield self._line()
        finally:
            self._socket.settimeout(TIMEOUT_S)

    def _answer(self) -> dict[str, Any]:
        while True:
            message = self._line()
            if "method" not in message:
                return message
            self._early.append(message)

    def _left_behind(self) -> dict[str, Any] | None:
        """What the daemon said before it closed the connection, if anything."""
        try:
            return self._answer()
        except NoDaemonError:
            return None

    def _line(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except TimeoutError:
            raise NoDaemonError(f"the daemon has not answered within {TIMEOUT_S:g} s") from None
        except OSError as error:
            raise NoDaemonError(_why(self.path, error)) from None
        if not line:
            raise NoDaemonError("the daemon closed the connection")
        found: dict[str, Any] = json.loads(line)
        return found


def _why(path: Path, error: OSError) -> str:
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            return f"no daemon listens on {path}: start one with `tradewright run`, or name its folder with --data"
        case PermissionError():
            return f"{path} may not be used by this user; attach as the user that runs the daemon"
        case BrokenPipeError() | ConnectionResetError():
            return "the daemon closed the connection"
        case _:
            return f"{path}: {error.strerror or error}"
