"""Accounts with Google: Gemini CLI, Antigravity, Vertex AI."""

from __future__ import annotations

from tests.accounts.suite import Suite
from tests.sim.accounts_google import (
    AntigravityAccounts,
    AntigravityClaudeAccounts,
    GeminiCliAccounts,
    VertexAccounts,
)


class TestGeminiCli(Suite):
    provider = GeminiCliAccounts
    rotates = False


class TestAntigravity(Suite):
    provider = AntigravityAccounts
    rotates = False


class TestAntigravityClaude(Suite):
    provider = AntigravityClaudeAccounts
    rotates = False


class TestVertex(Suite):
    provider = VertexAccounts
    rotates = False
