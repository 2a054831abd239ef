"""Claude's logins, end to end."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_claude import ClaudeAccounts


class TestClaude(Suite):
    provider = ClaudeAccounts
