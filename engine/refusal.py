"""A no with a stable code: refusals are values that are returned, journaled and answered, never exceptions."""

from __future__ import annotations

from msgspec import Struct

Problem = tuple[str, str]
"""A stable code and the sentence for a person."""


class Refusal(Struct, frozen=True, gc=False):
    """Why something may not be: a code for programs, which never changes, and a sentence for a person."""

    code: str
    reason: str
