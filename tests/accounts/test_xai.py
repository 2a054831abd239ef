"""Accounts of xAI."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_devices import XAIServer


class TestXAI(Suite):
    provider = XAIServer
