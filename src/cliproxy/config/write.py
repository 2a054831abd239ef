"""The first configuration."""

from __future__ import annotations

from cliproxy.base.files import atomic_write

__all__ = ["atomic_write", "starter"]

_STARTER = """\
# cliproxy configuration. Every key is explained in config.example.yaml.

# Where to listen. 127.0.0.1 = this machine only.
host: "127.0.0.1"
port: 8317

# Keys your clients send (as Authorization: Bearer, x-api-key, x-goog-api-key or ?key=).
api-keys:
  - "{client}"

# The key of the management API (/v0/management), for this machine only.
remote-management:
  secret-key: "{management}"

# Accounts. Without any, the small embedded model answers as local/smollm2.
# Put yours here and take the # away, for example:
#
# openai-compatibility:
#   - name: openrouter
#     base-url: "https://openrouter.ai/api/v1"
#     api-key-entries:
#       - api-key: "sk-or-..."
#     models:
#       - name: "moonshotai/kimi-k2"
#         alias: "kimi"
#
# claude-api-key:
#   - api-key: "sk-ant-..."
#
# gemini-api-key:
#   - api-key: "AIza..."

# Keep the embedded model beside your own accounts (remove this for "only when there is no other").
local-model:
  enable: true
"""


def starter(client_key: str, management_key: str) -> str:
    """Return the text of a first configuration."""
    return _STARTER.format(client=client_key, management=management_key)
