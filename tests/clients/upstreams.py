"""Configuration that puts one simulated provider behind each upstream dialect."""

from __future__ import annotations

from tests.sim.server import Sim

FAMILIES = {
    "openai-chat": "gpt",
    "openai-responses": "gpt",
    "anthropic": "claude",
    "gemini": "gemini",
    "interactions": "gemini",
}
MODELS = {
    "openai-chat": "some-model",
    "openai-responses": "gpt-5.5",
    "anthropic": "claude-sonnet-4-5-20250929",
    "gemini": "gemini-2.5-flash",
    "interactions": "gemini-3-flash-preview",
}


def config(sim: Sim, extra: str = "") -> str:
    """Return a configuration: the alias `to-<dialect>` leads to that dialect of the simulator."""
    return f"""
openai-compatibility:
  - name: sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: chat-key}}]
    models: [{{name: {MODELS["openai-chat"]}, alias: to-openai-chat}}]
codex-api-key:
  - api-key: codex-key
    base-url: "{sim.url}/v1"
    models: [{{name: {MODELS["openai-responses"]}, alias: to-openai-responses}}]
claude-api-key:
  - api-key: claude-key
    base-url: "{sim.url}"
    models: [{{name: {MODELS["anthropic"]}, alias: to-anthropic}}]
gemini-api-key:
  - api-key: gemini-key
    base-url: "{sim.url}"
    models: [{{name: {MODELS["gemini"]}, alias: to-gemini}}]
interactions-api-key:
  - api-key: interactions-key
    base-url: "{sim.url}"
    models: [{{name: {MODELS["interactions"]}, alias: to-interactions}}]
{extra}
"""
