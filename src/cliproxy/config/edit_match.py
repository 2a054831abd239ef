"""Which items of a new list are items of the old one."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from cliproxy.base.json import Json

_IDENTITY: Final = (
    "id", "name", "alias", "api-key", "api_key", "apikey", "key", "provider", "model",
)  # fmt: skip


def match(old: list[Json], new: list[Json]) -> list[int | None]:
    """Return for each new item the index of the old one it is, `None` for an added one.

    Equal items are the same; of the others those whose first common identity field is equal.
    """
    found: list[int | None] = [None] * len(new)
    equal: defaultdict[bytes, list[int]] = defaultdict(list)
    for index in reversed(range(len(old))):
        equal[_exact(old[index])].append(index)
    for position, item in enumerate(new):
        if candidates := equal[_exact(item)]:
            found[position] = candidates.pop()
    left = set(range(len(old))) - set(found)
    for position, item in enumerate(new):
        if found[position] is None and isinstance(item, dict):
            same = (i for i in sorted(left) if isinstance(old[i], dict) and _alike(old[i], item))
            found[position] = next(same, None)
            left.discard(found[position])
    return found


def _exact(value: Json) -> bytes:
    # A map in another order is the same map.
    if isinstance(value, dict):
        inner = sorted((key, _exact(item)) for key, item in value.items())
        return b"{" + b",".join(ascii(k).encode() + b":" + v for k, v in inner) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_exact, value)) + b"]"
    return ascii(value).encode()


def _alike(old: dict[str, Json], new: dict[str, Json]) -> bool:
    for name in _IDENTITY:
        one, other = old.get(name), new.get(name)
        if one not in (None, "", [], {}) and other not in (None, "", [], {}):
            return type(one) is type(other) and bool(one == other)
    return False
