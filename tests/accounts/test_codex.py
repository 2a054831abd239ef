"""Codex logins, end to end."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_codex import CodexAccounts


class TestCodex(Suite):
    provider = CodexAccounts


class ByDevice(CodexAccounts):
    way = "device"


class TestCodexByDevice(TestCodex):
    provider = ByDevice
