"""Accounts of Qwen Code."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_devices import QwenServer


class TestQwen(Suite):
    provider = QwenServer
