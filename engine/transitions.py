"""Which report is legal in which state of an order, and why: the whole of it, a row a pair.

Stale reports are ignored and counted. Impossible ones are kept, and a person is told. Everything else is legal.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

from engine import reports as r

Verdict = Literal["legal", "stale", "impossible"]


class Row(NamedTuple):
    """One row of the transition table: the verdict and why."""

    verdict: Verdict
    why: str


_LIVE: Final = ("SUBMITTING", "WORKING", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE", "UNKNOWN")


def _table() -> dict[tuple[str, type], Row]:
    table: dict[tuple[str, type], Row] = {}

    def say(report: type, statuses: tuple[str, ...] | str, verdict: Verdict, why: str) -> None:
        for status in (statuses,) if isinstance(statuses, str) else statuses:
            table[status, report] = Row(verdict, why)

    reports: tuple[type, ...] = get_args(r.OrderReport)
    for report in reports:
        say(report, "NEW", "impossible", "Nothing was sent, so the venue can have nothing to say.")

    say(r.Accepted, "SUBMITTING", "legal", "The venue took the order.")
    say(r.Accepted, "UNKNOWN", "legal", "The answer came after all.")
    say(
        r.Accepted, ("PENDING_CANCEL", "PENDING_REPLACE"), "legal", "The acknowledgement overtook nothing: it was late."
    )
    say(r.Accepted, "PARTIALLY_FILLED", "legal", "The fill overtook the acknowledgement.")
    say(r.Accepted, "WORKING", "stale", "It was acknowledged before.")
    say(r.Accepted, ("FILLED", "CANCELED", "EXPIRED"), "stale", "The order's end overtook the acknowledgement.")
    say(r.Accepted, "REJECTED", "impossible", "The venue refused this order before.")

    say(r.Rejected, ("SUBMITTING", "UNKNOWN"), "legal", "The venue refused the order.")
    say(r.Rejected, "PENDING_CANCEL", "legal", "The order was refused while its cancel was on the way.")
    say(r.Rejected, ("WORKING", "PENDING_REPLACE"), "legal", "Some venues refuse after they acknowledged.")
    say(r.Rejected, "PARTIALLY_FILLED", "impossible", "What has fills was not refused.")
    say(r.Rejected, "FILLED", "impossible", "What is filled was not refused.")
    say(r.Rejected, ("CANCELED", "EXPIRED"), "stale", "The order is over already.")
    say(r.Rejected, "REJECTED", "stale", "It was refused before.")

    say(r.Filled, _LIVE, "legal", "An execution.")
    say(r.Filled, ("CANCELED", "EXPIRED"), "legal", "The fill happened before the end and arrived after it.")
    say(r.Filled, "REJECTED", "legal", "Money moved whatever was said before: it is booked, and a person is told.")
    say(r.Filled, "FILLED", "impossible", "There is nothing left to fill.")

    say(r.Canceled, _LIVE, "legal", "The open rest is cancelled.")
    say(r.Canceled, "FILLED", "stale", "The last fill overtook the cancel.")
    say(r.Canceled, "CANCELED", "stale", "It was cancelled before.")
    say(r.Canceled, ("REJECTED", "EXPIRED"), "stale", "The order is over already.")

    say(r.Expired, _LIVE, "legal", "The order's time is over.")
    say(r.Expired, ("FILLED", "CANCELED", "REJECTED", "EXPIRED"), "stale", "The order is over already.")

    say(r.Replaced, "PENDING_REPLACE", "legal", "The venue took the replacement.")
    say(r.Replaced, ("WORKING", "PARTIALLY_FILLED", "PENDING_CANCEL", "UNKNOWN"), "legal", "The answer was late.")
    say(r.Replaced, "SUBMITTING", "impossible", "No replacement was asked for before the acknowledgement.")
    say(r.Replaced, ("FILLED", "CANCELED", "REJECTED", "EXPIRED"), "stale", "The order is over already.")

    say(r.CancelRejected, "PENDING_CANCEL", "legal", "The order is as it was.")
    refused = ("SUBMITTING", "WORKING", "PARTIALLY_FILLED", "PENDING_REPLACE", "UNKNOWN")
    say(r.CancelRejected, refused, "stale", "No cancel is pending: the answer was late.")
    say(
        r.CancelRejected,
        ("FILLED", "CANCELED", "REJECTED", "EXPIRED"),
        "stale",
        "Too late to cancel: the order is over.",
    )

    say(r.ReplaceRejected, "PENDING_REPLACE", "legal", "The order is as it was.")
    refused = ("SUBMITTING", "WORKING", "PARTIALLY_FILLED", "PENDING_CANCEL", "UNKNOWN")
    say(r.ReplaceRejected, refused, "stale", "No replacement is pending: the answer was late.")
    say(r.ReplaceRejected, ("FILLED", "CANCELED", "REJECTED", "EXPIRED"), "stale", "The order is over already.")

    say(r.Snapshot, _LIVE, "legal", "What the venue knows is adopted.")
    say(r.Snapshot, ("FILLED", "CANCELED", "REJECTED", "EXPIRED"), "stale", "The order is over already.")
    say(r.NotFound, ("SUBMITTING", "UNKNOWN"), "legal", "Nothing is assumed: the venue is asked again.")
    found = ("WORKING", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE")
    say(r.NotFound, found, "legal", "The venue forgot what it took: it is asked again, then a person is.")
    say(r.NotFound, ("FILLED", "CANCELED", "REJECTED", "EXPIRED"), "stale", "The order is over already.")
    return table


TABLE: Final = _table()
