"""Bringing together what two writers made of the same file, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cliproxy.account.credential import Credential
from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.config.edit import NotEditable, delete, set_value
from cliproxy.config.tree import NotYaml, meaning, parse

_GONE: Final = object()


class NotMergeable(Exception):
    """The two cannot be brought together; one of them has to give way."""


def merged(base: Obj, ours: Obj, theirs: Obj) -> Obj:
    """Return their object with what we changed since `base`: fields set, replaced or removed."""
    out: dict[str, Json] = dict(theirs)
    for key, value in ours.items():
        if key not in base or base[key] != value:
            theirs_of = theirs.get(key)
            before = base.get(key)
            if isinstance(value, dict) and isinstance(theirs_of, dict) and isinstance(before, dict):
                out[key] = merged(before, value, theirs_of)
            else:
                out[key] = value
    for key in base:
        if key not in ours:
            out.pop(key, None)
    return out


def is_outdated(base: Obj, ours: Obj, theirs: Obj) -> bool:
    """Tell whether both have got new tokens since `base`, and theirs are the later ones.

    Old tokens must not take the place of those of a login that its owner has made anew meanwhile.
    """
    old, mine, new = (Credential("", dict(fields)) for fields in (base, ours, theirs))
    for kind in ("refresh_token", "access_token"):
        before, one, other = (getattr(each, kind) for each in (old, mine, new))
        if one != other and before not in (one, other) and other:
            return _moment(new) > _moment(mine)
    return False


def is_older(ours: Obj, theirs: Obj) -> bool:
    """Tell whether theirs are tokens of before ours, which then are nowhere else."""
    mine, new = Credential("", dict(ours)), Credential("", dict(theirs))
    token = mine.refresh_token
    return bool(token) and token != new.refresh_token and _moment(new) < _moment(mine)


def _moment(credential: Credential) -> float:
    """Return when tokens were got, as far as it is said."""
    return credential.refreshed or credential.expires or 0.0


def merged_text(base: str, ours: str, theirs: str) -> str:
    """Return their configuration with what we changed since `base`; their comments stay.

    Of a list, entries that we added or removed are added or removed. Raises `NotMergeable`.
    """
    try:
        before, mine, now = (_tree(text) for text in (base, ours, theirs))
        text = theirs
        for path, value in _changes(before, mine, now):
            text = delete(text, path) if value is _GONE else set_value(text, path, value)
        if not isinstance(_tree(text), dict):
            raise NotMergeable
    except (NotYaml, NotEditable, ValueError, TypeError) as err:
        raise NotMergeable from err
    return text


def is_whole(data: bytes) -> bool:
    """Tell whether bytes are a configuration: a mapping, which a file cut short need not be."""
    try:
        return isinstance(parse(data.decode("utf-8-sig")).value, dict)
    except (NotYaml, UnicodeDecodeError, RecursionError):
        return False


def _tree(text: str) -> Obj:
    value = meaning(parse(text.removeprefix("\ufeff")).value)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotMergeable
    return value


def _changes(base: Obj, ours: Obj, theirs: Obj) -> Iterator[tuple[tuple[str | int, ...], object]]:
    for key in base:
        if key not in ours and key in theirs:
            yield (key,), _GONE
    for key, value in ours.items():
        before = base.get(key, _GONE)
        if before is not _GONE and alike(before, value):
            continue
        now = theirs.get(key)
        if isinstance(value, dict) and isinstance(now, dict):
            inside = before if isinstance(before, dict) else {}
            for path, inner in _changes(inside, value, now):
                yield (key, *path), inner
        elif isinstance(value, list) and isinstance(now, list) and isinstance(before, list):
            yield (key,), _joined(before, value, now)
        else:
            yield (key,), value


def _joined(base: list[Json], ours: list[Json], theirs: list[Json]) -> list[Json]:
    def among(item: Json, others: list[Json]) -> bool:
        return any(alike(item, other) for other in others)

    kept = [item for item in theirs if among(item, ours) or not among(item, base)]
    return kept + [item for item in ours if not among(item, base) and not among(item, theirs)]


def alike(one: Json, other: Json) -> bool:
    """Tell whether two values mean the same; `1` and `true` do not."""
    return json.dumps(_ordered(one)) == json.dumps(_ordered(other))


def _ordered(value: Json) -> Json:
    if isinstance(value, dict):
        return {str(key): _ordered(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
