"""Accounts of Kimi Code."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_devices import KimiServer


class TestKimi(Suite):
    provider = KimiServer
