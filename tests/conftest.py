"""What every test stands on: asynchronous tests run on uvloop, as the daemon does."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop the daemon runs on."""
    return "asyncio", {"use_uvloop": True}
