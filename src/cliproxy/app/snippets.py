"""Copy-paste lines that point a client at a running proxy."""

from __future__ import annotations

from typing import Final

_TEMPLATE: Final = """\
URL        {base}
Key        {key}
Model      {model}      (all models: curl -H 'Authorization: Bearer {key}' {base}/v1/models)

Claude Code
  ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} \\
  ANTHROPIC_MODEL={model} ANTHROPIC_SMALL_FAST_MODEL={model} claude

Codex CLI                                      (~/.codex/config.toml)
  model = "{model}"
  model_provider = "cliproxy"
  [model_providers.cliproxy]
  name = "cliproxy"
  base_url = "{base}/v1"
  env_key = "CLIPROXY_KEY"
  wire_api = "responses"
  supports_websockets = false
  then: CLIPROXY_KEY={key} codex

Gemini CLI
  GOOGLE_GEMINI_BASE_URL={base} GEMINI_API_KEY={key} gemini -m {model}

openai SDK
  from openai import OpenAI
  OpenAI(base_url="{base}/v1", api_key="{key}").chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "Hello"}}])

anthropic SDK
  from anthropic import Anthropic
  Anthropic(base_url="{base}", api_key="{key}").messages.create(
      model="{model}", max_tokens=200, messages=[{{"role": "user", "content": "Hello"}}])

google-genai SDK
  from google import genai
  genai.Client(api_key="{key}", http_options={{"base_url": "{base}"}}).models.generate_content(
      model="{model}", contents="Hello")

curl
  curl {base}/v1/chat/completions -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""


def snippets(base: str, key: str, model: str) -> str:
    """Return the lines for every client. `base` without a path, `key` a client key."""
    return _TEMPLATE.format(base=base, key=key, model=model)
