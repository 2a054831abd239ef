"""Unknown members of known objects, put back where they were."""

from __future__ import annotations

from cliproxy.base.json import Obj


def merged(kept: Obj, written: Obj) -> Obj:
    """Return `written` with what only `kept` has, object by object; `written` wins."""
    out = {**kept, **written}
    for key, value in written.items():
        if isinstance(value, dict) and isinstance(before := kept.get(key), dict):
            out[key] = merged(before, value)
    return out
