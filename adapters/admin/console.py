"""`tradewright attach`: one question and its answer, or a prompt that completes, remembers and tails."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from adapters.admin import render
from adapters.admin.arguments import ArgumentError, parse, usage
from adapters.admin.client import AnswerError, Client, NoDaemonError, socket_path

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

STREAMS: Final = frozenset({"tail", "journal"})
DESTRUCTIVE: Final = frozenset({"kill", "cancel_all", "drain", "regime"})
"""Asked about once more at the prompt."""
EXAMPLES: Final = """\
Examples
  status                                    how it is doing
  orders open=true subscriber=alice         her open orders
  order paper-0000…                         one order, all of it (Tab completes)
  positions                                 who holds what, and what it is worth
  cancel order_id=paper-0000… reason=typo   ask the venue to cancel
  kill reason="market data is wrong"        stop all trading at once
  resume reason="checked with the feed"     go on
  kill strategy=momentum reason="odd"       stop one strategy, subscriber, symbol or venue
  regime CAUTION reason="volatile"          lower everybody's limits
  explain r-17                              why a request was answered as it was
  tail types=OrderFilled symbol=AAPL        fills as they happen, until Ctrl-C
  journal last=5                            the last entries of the journal
  {"subscriber": "alice"} works, too:       positions {"subscriber": "alice"}

help METHOD says what a method takes; methods lists all; json on|off; exit or Ctrl-D ends."""


class Session:
    """A client with a memory of the methods and of the ids that were seen: what the prompt completes with."""

    def __init__(self, data: Path, console: Console, as_json: bool = False) -> None:
        self.data = data
        self.console = console
        self.as_json = as_json
        self.seen: dict[str, list[str]] = {}
        self._client: Client | None = None
        self._methods: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Ends the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def client(self) -> Client:
        """The connection, made when it is needed; raises NoDaemonError."""
        if self._client is None:
            self._client = Client(socket_path(self.data))
        return self._client

    def connect(self) -> None:
        """Sees that somebody answers; raises NoDaemonError."""
        self.client.call("methods")

    @property
    def methods(self) -> dict[str, dict[str, Any]]:
        """What can be asked, by name."""
        if not self._methods:
            self._methods = {method["method"]: method for method in self.client.call("methods")}
        return self._methods

    def run(self, method: str, words: list[str]) -> None:
        """Asks and prints the answer; follows a stream until Ctrl-C."""
        try:
            described = self.methods.get(method)
            params = parse(described, words) if described is not None else {}
            result = self.client.call(method, **params)
        except NoDaemonError:
            self.close()
            raise
        self._remember(result)
        if method in STREAMS and isinstance(result, dict) and "subscription" in result:
            self._follow(result["subscription"])
        elif self.as_json:
            _write(result)
        else:
            render.show(self.console, method, result)

    def _follow(self, subscription: int) -> None:
        if not self.as_json and self.console.is_terminal:
            self.console.print("following; Ctrl-C ends", style="dim")
        try:
            for message in self.client.notifications():
                params = message.get("params", {})
                if params.get("subscription") != subscription:
                    continue
                if message["method"] == "ended":
                    error = params["error"]
                    raise AnswerError(error["code"], error["message"], error.get("data") or {})
                self._print(message["method"], params)
        except KeyboardInterrupt:
            self.console.print()
        finally:
            # Other streams of this connection may have lines under way: a new one begins clean.
            self.close()

    def _print(self, kind: str, params: dict[str, Any]) -> None:
        if self.as_json:
            _write(params)
            return
        width = self.console.width
        if kind == "entry":
            lines = render.entry_lines(params, width)
        else:
            lines = [render.event_line(params["event_id"], params["address"], params["event"], width)]
        for line in lines:
            self.console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def _remember(self, result: Any) -> None:
        """Ids in an answer, to complete with."""
        for row in result if isinstance(result, list) else [result]:
            if not isinstance(row, dict):
                continue
            lists = (inner for value in row.values() if isinstance(value, list) for inner in value)
            for one in (row, *(inner for inner in lists if isinstance(inner, dict))):
                self._remember_ids(one)

    def _remember_ids(self, row: dict[str, Any]) -> None:
        for name, kind in _IDS.items():
            value = row.get(name)
            if isinstance(value, str) and value:
                known = self.seen.setdefault(kind, [])
                if value not in known:
                    known.insert(0, value)
                    del known[200:]


_IDS: Final = {
    "order_id": "order_id",
    "subscriber_id": "subscriber",
    "symbol": "symbol",
    "ticker": "symbol",
    "letter_id": "letter_id",
    "address": "address",
    "venue": "venue",
    "request_id": "request_id",
    "strategy_id": "strategy",
    "override_id": "override_id",
}


def attach(data: Path, method: str | None, words: list[str], as_json: bool) -> int:
    """One question, or the prompt where there is none; returns the exit code."""
    session = Session(data, Console(), as_json)
    try:
        if method is None:
            return _interactive(session)
        return _guarded(session, lambda: session.run(method, words))
    finally:
        session.close()


def _guarded(session: Session, run: Callable[[], None]) -> int:
    """Runs, and says what went wrong; 0, or 1."""
    try:
        run()
    except (NoDaemonError, ArgumentError) as error:
        _complain(str(error))
    except AnswerError as error:
        if session.as_json:
            _write({"error": {"code": error.number, "message": str(error), "data": error.data}})
        close = error.data.get("close_to")
        more = f"\nDid you mean {' or '.join(close)}?" if close else ""
        _complain(f"{error} [{error.code}]{more}")
    else:
        return 0
    return 1


def _write(value: Any) -> None:
    """One line of JSON, at once: whoever reads a stream waits for it."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    errors = Console(stderr=True)
    errors.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


# the prompt


def _interactive(session: Session) -> int:
    if not sys.stdin.isatty():
        return _script(session, sys.stdin)
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

    if _guarded(session, lambda: session.run("status", [])):
        return 1
    session.console.print("Tab completes, help shows examples, Ctrl-D leaves.", style="dim")
    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(_history(session.data))), completer=_completer(session), complete_while_typing=False
    )
    while True:
        try:
            line = prompt.prompt("tradewright> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        if line.strip() in ("exit", "quit"):
            return 0
        _guarded(session, lambda line=line: _command(session, line, _sure))  # type: ignore[misc]  # bound per line


def _script(session: Session, lines: Iterable[str]) -> int:
    """Commands from a pipe, up to the first that fails."""
    if _guarded(session, session.connect):
        return 1
    for line in lines:
        if _guarded(session, lambda line=line: _command(session, line, lambda _: True)):  # type: ignore[misc]  # bound per line
            return 1
    return 0


def _history(data: Path) -> Path:
    path = data / "run" / "console.history"
    path.touch(mode=0o600, exist_ok=True)
    return path


def _sure(method: str) -> bool:
    try:
        return input(f"{method}: really? [y/N] ").strip().lower() in ("y", "yes")
    except (KeyboardInterrupt, EOFError):
        return False


def _command(session: Session, line: str, sure: Callable[[str], bool]) -> None:
    words = _split(line)
    if not words:
        return
    method, rest = words[0], words[1:]
    if method in ("help", "?"):
        _help(session, rest)
    elif method == "json" and rest in (["on"], ["off"], []):
        session.as_json = rest != ["off"]
        session.console.print(f"answers are {'JSON' if session.as_json else 'tables'}", style="dim")
    elif method not in DESTRUCTIVE or sure(method):
        session.run(method, rest)


def _split(line: str) -> list[str]:
    head, _, rest = line.strip().partition(" ")
    if rest.lstrip().startswith("{"):
        return [head, rest.strip()]
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise ArgumentError(f"{error}: close what was opened with a quote") from None


def _help(session: Session, rest: list[str]) -> None:
    if not rest:
        session.console.print(EXAMPLES, markup=False, highlight=False)
        session.console.print(f"\nMethods: {', '.join(session.methods)}", markup=False, highlight=False)
        return
    method = session.methods.get(rest[0])
    if method is None:
        raise ArgumentError(f"there is no method {rest[0]!r}; there are: {', '.join(session.methods)}")
    session.console.print(usage(method), style="bold", markup=False, highlight=False)
    session.console.print(render.rendered("methods", [method], session.console.width))


def _completer(session: Session) -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class MethodCompleter(Completer):
        """Methods, then their parameters, then values that are known."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            before = document.text_before_cursor
            word = before[before.rfind(" ") + 1 :]
            for text, about in candidates(session, before):
                if text.startswith(word):
                    yield Completion(text, start_position=-len(word), display_meta=about)

    return MethodCompleter()


def candidates(session: Session, before: str) -> Iterator[tuple[str, str]]:
    """What the word under way may become, with what each means."""
    head, space, _ = before.lstrip().partition(" ")
    if not space:
        yield from ((name, method["text"]) for name, method in session.methods.items())
        yield from (("help", "examples"), ("exit", "leave"), ("json", "answers as JSON"))
        return
    if head in ("help", "?"):
        yield from ((name, method["text"]) for name, method in session.methods.items())
        return
    method = session.methods.get(head)
    if method is None:
        return
    word = before[before.rfind(" ") + 1 :]
    name, equals, _ = word.partition("=")
    for param in method["params"]:
        known = session.seen.get(param["name"], [])
        choices = param.get("choices") or (["true", "false"] if param["type"] == "true or false" else known)
        if equals and param["name"] == name:
            yield from ((f"{name}={choice}", "") for choice in choices)
        elif not equals:
            yield f"{param['name']}=", param["type"]
            if param["required"]:
                yield from ((choice, param["name"]) for choice in choices)
