"""What a login says of the machine it is bound to, where its provider binds logins to machines."""

from __future__ import annotations

import platform
import uuid

from cliproxy import __version__


def new_device() -> str:
    """Return the id of a machine that logs in: random, and kept with the login."""
    return uuid.uuid4().hex


def device_of(text: str) -> str:
    """Return an id that stands for a login which came without one, always the same."""
    return uuid.uuid5(uuid.NAMESPACE_OID, text).hex


def kimi_headers(device: str) -> dict[str, str]:
    """Return the headers by which Kimi's service knows the machine of a login.

    Program and version are ours. What the machine is called stays here: nobody needs it.
    """
    model = f"{platform.system()} {platform.machine()}".strip() or "unknown"
    return {
        "x-msh-platform": "cliproxy",
        "x-msh-version": __version__,
        "x-msh-device-name": "cliproxy",
        "x-msh-device-model": model.encode("ascii", "replace").decode("ascii"),
        "x-msh-os-version": (platform.release() or "unknown").encode("ascii", "replace").decode(),
        "x-msh-device-id": device,
    }
