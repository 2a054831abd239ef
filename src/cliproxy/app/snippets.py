"""Copy-paste lines that point a client at a running proxy."""

from __future__ import annotations

from typing import Final

from cliproxy.base.errors import ConfigError

_CLIENTS: Final[dict[str, tuple[str, str]]] = {
    "claude-code": (
        "Claude Code",
        """\
ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} \\
ANTHROPIC_MODEL={model} ANTHROPIC_SMALL_FAST_MODEL={model} claude
""",
    ),
    "codex": (
        "Codex CLI                                      (~/.codex/config.toml)",
        """\
model = "{model}"
model_provider = "cliproxy"
[model_providers.cliproxy]
name = "cliproxy"
base_url = "{base}/v1"
env_key = "CLIPROXY_KEY"
wire_api = "responses"
supports_websockets = false
then: CLIPROXY_KEY={key} codex
""",
    ),
    "gemini-cli": (
        "Gemini CLI",
        """\
GOOGLE_GEMINI_BASE_URL={base} GEMINI_API_KEY={key} gemini -m {model}
""",
    ),
    "opencode": (
        "opencode                                       (opencode.json)",
        """\
{{"provider": {{"cliproxy": {{"npm": "@ai-sdk/openai-compatible",
  "options": {{"baseURL": "{base}/v1", "apiKey": "{key}"}},
  "models": {{"{model}": {{}}}}}}}}}}
then: opencode run -m "cliproxy/{model}" "Hello"
""",
    ),
    "qwen-code": (
        "Qwen Code",
        """\
OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY={key} OPENAI_MODEL={model} qwen
""",
    ),
    "aider": (
        "aider",
        """\
aider --openai-api-base {base}/v1 --openai-api-key {key} --model openai/{model}
""",
    ),
    "openai-sdk": (
        "openai SDK",
        """\
from openai import OpenAI
OpenAI(base_url="{base}/v1", api_key="{key}").chat.completions.create(
    model="{model}", messages=[{{"role": "user", "content": "Hello"}}])
""",
    ),
    "anthropic-sdk": (
        "anthropic SDK",
        """\
from anthropic import Anthropic
Anthropic(base_url="{base}", api_key="{key}").messages.create(
    model="{model}", max_tokens=200, messages=[{{"role": "user", "content": "Hello"}}])
""",
    ),
    "google-genai-sdk": (
        "google-genai SDK",
        """\
from google import genai
genai.Client(api_key="{key}", http_options={{"base_url": "{base}"}}).models.generate_content(
    model="{model}", contents="Hello")
""",
    ),
    "curl": (
        "curl",
        """\
curl {base}/v1/chat/completions -H 'Authorization: Bearer {key}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
""",
    ),
}
CLIENTS: Final = tuple(_CLIENTS)
"""The clients there are lines for."""
_SHOWN_FIRST: Final = (
    "claude-code", "codex", "gemini-cli", "openai-sdk", "anthropic-sdk", "google-genai-sdk", "curl",
)  # fmt: skip


def snippet(client: str, base: str, key: str, model: str) -> str:
    """Return one client's lines. Raises `ConfigError` for a client there are none for."""
    found = _CLIENTS.get(client)
    if found is None:
        raise ConfigError(f"There are no lines for {client!r}; there are {', '.join(CLIENTS)}.")
    return found[1].format(base=base, key=key, model=model)


def snippets(base: str, key: str, model: str) -> str:
    """Return the lines of the usual clients. `base` without a path, `key` a client key."""
    listed = f"curl -H 'Authorization: Bearer {key}' {base}/v1/models"
    parts = [
        f"URL        {base}\nKey        {key}\nModel      {model}      (all models: {listed})\n"
    ]
    for client in _SHOWN_FIRST:
        title, text = _CLIENTS[client]
        lines = text.format(base=base, key=key, model=model).splitlines()
        parts.append("\n".join([title, *(f"  {line}" for line in lines)]) + "\n")
    return "\n".join(parts)
