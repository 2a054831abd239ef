"""Accounts of iFlow."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_devices import IFlowServer


class TestIFlow(Suite):
    provider = IFlowServer
