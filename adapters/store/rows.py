"""From batches to what a commit binds: a row a batch, and spread over the rows what all batches leave behind.

A commit is ONE statement, an insert of these rows into the view `batch`, whose trigger fills the tables from JSON
documents. Python's own part is then one encoding a table, whatever the number of rows; SQLite takes the documents
apart without holding the interpreter, and its interpreter lock is taken back once a commit, not once a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from msgspec import json

from actors.journal import Batch
from engine.events import CommandDecided, Event, FillBooked, InputRefused, RequestAccepted, RequestDenied
from engine.order import TERMINAL
from engine.target_events import TargetFailed, TargetReached, TargetsDecided, TargetSteered

SEPARATOR: Final = "\x7f"
"""Between an address and a part in the name of a state: neither holds it, and JSON writes it as it is."""
ORDER: Final = "order/"

_json: Final = json.Encoder().encode


class Row(NamedTuple):
    """What one batch puts into the view `batch`. Documents are JSON; None stands for an empty one. A row without `seq`
    holds what is left of large documents."""

    seq: int | None = None
    at: str | None = None
    body: bytes | None = None
    """Of the journal entry; a batch without events has none."""
    trades: bytes | None = None
    """{trade_id: [schema.TRADE]}"""
    decisions: bytes | None = None
    """{idx: [schema.DECISION]}"""
    keys: bytes | None = None
    """[[subscriber_id, key, fingerprint, outcome]]"""
    taken: int | None = None
    mail: bytes | None = None
    """[[number, to, sender, message]]"""
    cursors: bytes | None = None
    """{name: position}"""
    parts: bytes | None = None
    """{address DEL part: state}"""
    opened: bytes | None = None
    """{order_id: state} of open orders."""
    closed: bytes | None = None
    """{order_id: state} of orders that are done."""
    gone: bytes | None = None
    """[address DEL part]"""


ROWS: Final = {"parts": 512, "opened": 128, "closed": 128, "mail": 256, "gone": 512}
"""Of a document at most: about a hundred kilobytes, which SQLite takes apart within the processor's cache and in memory
that it has already. Documents of megabytes cost twice as much a row."""

HASH_AT: Final = 3
"""Where the hash goes among a row's values, once it is known."""

BATCH: Final = f"""
CREATE TEMP VIEW batch AS SELECT
    NULL AS seq, NULL AS at, NULL AS body, NULL AS hash, NULL AS trades, NULL AS decisions, NULL AS keys, NULL AS taken,
    NULL AS mail, NULL AS cursors, NULL AS parts, NULL AS opened, NULL AS closed, NULL AS gone;

CREATE TEMP TRIGGER batch_commits INSTEAD OF INSERT ON batch BEGIN
    INSERT INTO journal SELECT new.seq, new.at, new.body, new.hash WHERE new.body IS NOT NULL;
    -- The journal itself says how far it came, but for batches without events.
    UPDATE meta SET value = new.seq WHERE name = 'sequence' AND new.body IS NULL AND new.seq IS NOT NULL;

    INSERT INTO trade_bodies SELECT key, value FROM json_each(CAST(new.trades AS TEXT));
    INSERT INTO decision_places SELECT new.seq, CAST(key AS INTEGER), value FROM json_each(CAST(new.decisions AS TEXT));
    INSERT INTO idempotency
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
            json_extract(value, '$[3]'), new.at
        FROM json_each(CAST(new.keys AS TEXT)) WHERE true
        ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint, outcome = excluded.outcome, at = excluded.at;

    DELETE FROM mail WHERE number <= new.taken;
    INSERT INTO mail
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
            json_extract(value, '$[3]')
        FROM json_each(CAST(new.mail AS TEXT));
    INSERT INTO cursors SELECT key, value FROM json_each(CAST(new.cursors AS TEXT)) WHERE true
        ON CONFLICT DO UPDATE SET position = excluded.position;

    INSERT INTO actors
        SELECT substr(key, 1, instr(key, '{SEPARATOR}') - 1), substr(key, instr(key, '{SEPARATOR}') + 1), value
        FROM json_each(CAST(new.parts AS TEXT)) WHERE true
        ON CONFLICT DO UPDATE SET state = excluded.state;
    INSERT INTO order_states SELECT key, 1, value FROM json_each(CAST(new.opened AS TEXT)) WHERE true
        ON CONFLICT DO UPDATE SET open = 1, state = excluded.state;
    INSERT INTO order_states SELECT key, 0, value FROM json_each(CAST(new.closed AS TEXT)) WHERE true
        ON CONFLICT DO UPDATE SET open = 0, state = excluded.state;
    DELETE FROM actors WHERE (address, part) IN (
        SELECT substr(value, 1, instr(value, '{SEPARATOR}') - 1), substr(value, instr(value, '{SEPARATOR}') + 1)
        FROM json_each(CAST(new.gone AS TEXT))
    );
    DELETE FROM order_states WHERE order_id IN (
        SELECT substr(value, {len(ORDER) + 1}, length(value) - {len(ORDER) + 1})
        FROM json_each(CAST(new.gone AS TEXT)) WHERE value LIKE '{ORDER}%'
    );
END;
"""


def insertion(rows: int) -> str:
    """The statement that commits this many rows. Its rows are handled in their order."""
    row = f"({', '.join('?' * (len(Row._fields) + 1))})"
    return f"INSERT INTO batch VALUES {', '.join([row] * rows)}"


def moment(at: datetime) -> str:
    """A time as the store writes it: in UTC and of one length, so that text sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def rows(batches: Sequence[Batch]) -> list[Row]:
    """What makes these consecutive batches durable: of what several of them changed, only the last value."""
    made = [_own(batch) for batch in batches]
    pieces = _together(batches)
    for index, piece in enumerate(pieces):
        if index == len(made):
            made.append(Row())
        made[index] = made[index]._replace(**piece)
    return made


def _own(batch: Batch) -> Row:
    """What is of this batch alone: its entry in the journal and what only ever is added."""
    trades: dict[str, tuple[Any, ...]] = {}
    decisions: dict[int, tuple[Any, ...]] = {}
    for index, (_, event) in enumerate(batch.events):
        kind = event.__class__
        if kind is FillBooked:
            trades[event.trade_id] = _trade(event)  # type: ignore[attr-defined]
        elif kind in _DECIDED:
            row = _DECIDED[kind](event)
            if row is not None:
                decisions[index] = row
    keys = [(*key, *prior) for key, prior in batch.keys.items()]
    return Row(
        batch.sequence,
        moment(batch.at),
        batch.packed if batch.events else None,
        _json(trades) if trades else None,
        _json(decisions) if decisions else None,
        _json(keys) if keys else None,
    )


def _together(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """What the batches leave behind when all of them are done, in pieces of documents."""
    states = batches[0].states
    if len(batches) > 1:
        states = dict(states)
        for batch in batches[1:]:
            states.update(batch.states)
    parts: dict[str, Any] = {}
    opened: dict[str, Any] = {}
    closed: dict[str, Any] = {}
    gone: list[str] = []
    for (address, part), state in states.items():
        if state is None:
            gone.append(address + SEPARATOR + part)
        elif address.startswith(ORDER):
            orders = closed if state.status in TERMINAL else opened  # type: ignore[attr-defined]
            orders[address[len(ORDER) :]] = state
        else:
            parts[address + SEPARATOR + part] = state
    taken = batches[-1].taken
    mail = [
        (number, letter.to, letter.sender, letter.message)
        for batch in batches
        for number, letter in batch.left
        if number > taken
    ]
    cursors = {name: position for batch in batches for name, position in batch.cursors.items()}
    pieces: list[dict[str, Any]] = [{"taken": taken}]
    for name, whole in (("parts", parts), ("opened", opened), ("closed", closed)):
        for index in range(0, len(whole), ROWS[name]):
            piece = whole if len(whole) <= ROWS[name] else dict(islice(whole.items(), index, index + ROWS[name]))
            _add(pieces, index // ROWS[name], name, piece)
    for name, listed in (("mail", mail), ("gone", gone)):
        for index in range(0, len(listed), ROWS[name]):
            _add(pieces, index // ROWS[name], name, listed[index : index + ROWS[name]])
    if cursors:
        _add(pieces, 0, "cursors", cursors)
    return pieces


def _add(pieces: list[dict[str, Any]], index: int, name: str, document: Any) -> None:
    if index == len(pieces):
        pieces.append({})
    pieces[index][name] = _json(document)


def _trade(event: Any) -> tuple[Any, ...]:
    fill = event.fill
    provenance = event.provenance
    return (
        fill.at,
        fill.symbol,
        fill.side,
        fill.quantity,
        fill.price,
        fill.order_id,
        event.strategy_id,
        provenance.profile_version_id,
        provenance.regime_id,
        provenance.universe_id,
        provenance.decision_id,
        event.subscriber_id,
        fill.exchange,
        fill.venue,
        fill.execution_id,
        fill.commission,
        fill.currency,
        fill.multiplier,
        event.realized,
    )


def _accepted(event: Any) -> tuple[Any, ...]:
    return "ACCEPTED", event.subscriber_id, event.request_id, event.signal_id, event.strategy_id, None


def _denied(event: Any) -> tuple[Any, ...]:
    return "DENIED", event.subscriber_id, event.request_id, event.signal_id, event.strategy_id, event.code


def _commanded(event: Any) -> tuple[Any, ...]:
    outcome = event.outcome
    return outcome.status, event.subscriber_id, outcome.request_id, None, None, outcome.code


def _refused(event: Any) -> tuple[Any, ...]:
    return "INVALID", None, None, None, None, event.code


def _targets(event: Any) -> tuple[Any, ...]:
    return event.status, event.subscriber_id, event.request_id, event.signal_id, event.strategy_id, event.code


def _steered(event: Any) -> tuple[Any, ...] | None:
    """None where nothing was decided: an order of the target filled."""
    if event.sentence is None:
        return None
    return "STEERED", event.subscriber_id, event.request_id, event.signal_id, event.strategy_id, None


def _reached(event: Any) -> tuple[Any, ...]:
    return "DONE", event.subscriber_id, event.request_id, event.signal_id, event.strategy_id, None


def _failed(event: Any) -> tuple[Any, ...]:
    return "FAILED", event.subscriber_id, event.request_id, event.signal_id, event.strategy_id, event.code


_DECIDED: Final[dict[type[Event], Any]] = {
    RequestAccepted: _accepted,
    RequestDenied: _denied,
    CommandDecided: _commanded,
    InputRefused: _refused,
    TargetsDecided: _targets,
    TargetSteered: _steered,
    TargetReached: _reached,
    TargetFailed: _failed,
}
