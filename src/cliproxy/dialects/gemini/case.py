"""camelCase and snake_case: both are accepted, only known wire objects are touched.

Google's Python SDK and many clients write request fields in snake_case. Keys are converted object
by object as they are read; data (call arguments, responses, schemas) is never looked into.
"""

from __future__ import annotations

from functools import lru_cache

from cliproxy.base.json import Obj


@lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def camel(obj: Obj) -> Obj:
    """Return the object with its own keys in camelCase; the camelCase spelling wins."""
    if not any("_" in key for key in obj):
        return obj
    out: Obj = {}
    for key, value in obj.items():
        name = _camel(key) if "_" in key and key[0] != "_" else key
        if name == key or name not in obj:
            out[name] = value
    return out
