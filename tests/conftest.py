"""What every test stands on: asynchronous tests run on uvloop, as the daemon does, and properties take their time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# That a machine has other work to do is no fault of what is tested.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop the daemon runs on."""
    return "asyncio", {"use_uvloop": True}
