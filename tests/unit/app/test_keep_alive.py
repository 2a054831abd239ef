"""A program that starts the proxy for itself may have it end with it."""

from __future__ import annotations

from tests.clock import FakeClock

from cliproxy.app.control import ALONE, LiveControl
from cliproxy.app.runtime import Runtime
from cliproxy.config.schema import Config


async def test_nobody_is_missed_who_was_never_there(tmp_path):
    clock = FakeClock()
    runtime = Runtime(Config(auth_dir=str(tmp_path)))
    control = LiveControl(runtime, clock)
    clock.time += 1000
    assert not control.abandoned
    control.kept_alive()
    clock.time += ALONE
    assert not control.abandoned
    clock.time += 1
    assert control.abandoned
    control.kept_alive()
    assert not control.abandoned
    await runtime.close()
