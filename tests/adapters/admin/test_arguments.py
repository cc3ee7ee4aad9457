"""What is typed after a method's name."""

from __future__ import annotations

import pytest

from adapters.admin.arguments import ArgumentError, parse, usage
from adapters.admin.methods import TABLE
from adapters.admin.protocol import Method

METHODS = {f.__name__: Method(f.__name__, params, "", f).describe() for f, params in TABLE}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "words", "params"),
    [
        ("status", [], {}),
        ("orders", ["subscriber=alice", "open=true", "limit=5"], {"subscriber": "alice", "open": True, "limit": 5}),
        ("orders", ["open=no"], {"open": False}),
        ("orders", ["alice", "AAPL"], {"subscriber": "alice", "symbol": "AAPL"}),
        ("orders", ['{"status": "WORKING"}'], {"status": "WORKING"}),
        ("cancel", ["paper-1", "reason=a=b c"], {"order_id": "paper-1", "reason": "a=b c"}),
        ("cancel", ["order_id=paper-1"], {"order_id": "paper-1"}),
        ("kill", ["the feed is wrong"], {"reason": "the feed is wrong"}),
    ],
)
def test_words_become_parameters(method: str, words: list[str], params: dict[str, object]) -> None:
    assert parse(METHODS[method], words) == params


@pytest.mark.parametrize(
    ("method", "words", "said"),
    [
        ("status", ["verbose=1"], "status has no parameter 'verbose'; it takes: none"),
        ("status", ["x"], "'x' is one more than status takes"),
        ("orders", ["limit=few"], "limit: expected a number, got 'few'"),
        ("orders", ["open=maybe"], "open: expected true or false, got 'maybe'"),
        ("orders", ["{"], "not JSON"),
        ("cancel", [], "cancel order_id=… [reason=…]\ncancel needs order_id"),
    ],
)
def test_what_cannot_be_meant_says_what_was_expected(method: str, words: list[str], said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(METHODS[method], words)
    assert said in str(caught.value)


def test_usage_shows_what_is_needed_and_what_may_be() -> None:
    assert usage(METHODS["pause"]) == "pause [subscriber=…] [venue=…] [reason=…]"


def test_choices_are_described_for_completion() -> None:
    level = METHODS["log_level"]["params"][0]
    assert level["choices"] == ["debug", "info", "warning", "error"]
    assert level["required"]
    status = next(param for param in METHODS["orders"]["params"] if param["name"] == "status")
    assert "WORKING" in status["choices"]
