"""Writing files so that nothing is ever lost, and the first configuration."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def atomic_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file by a complete new one, or leave the old one: never something in between.

    The new content is on the disk before the name points to it, also after a power cut. Of a
    symbolic link the file it leads to is replaced.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
