"""JSON with any value in any place, and what a dialect says to it."""

from __future__ import annotations

import copy
import json

from hypothesis import strategies as st

from cliproxy.base.errors import BadRequest
from cliproxy.dialects import ParseMeta

VALUES = (
    None, True, 0, -1, 1.5, 10**30, "", "x", "{}", [], {}, ["a"], [1], [[]], {"type": "text"}, {"type": 5},
    {"text": "t"}, {"text": 5}, [{}],
)  # fmt: skip


def places(value, path=()):
    """Yield the path of every node of a JSON value but the root."""
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))


def put(body, place, new):
    """Set one node of a JSON value. Raises as indexing does where there is no such place."""
    target = body
    for key in place[:-1]:
        target = target[key]
    if isinstance(target, dict) and not isinstance(place[-1], str):
        raise KeyError(place[-1])  # JSON has no such key
    target[place[-1]] = copy.deepcopy(new)


def spoilt(body, *faults):
    """Return a copy with values in places; a fault whose place an earlier one took is left out."""
    body = copy.deepcopy(body)
    for place, value in faults:
        try:
            put(body, place, value)
        except (TypeError, KeyError, IndexError):
            continue
    return body


def faults_of(body):
    """Draw two to four places of a JSON value, each with a value to put there."""
    place = st.sampled_from(list(places(body)))
    return st.lists(st.tuples(place, st.sampled_from(VALUES)), min_size=2, max_size=4)


@st.composite
def some_spoilt(draw, values, most=10):
    """Some of these JSON values in any order, some of them with a wrong value somewhere."""
    found = []
    for value in draw(st.lists(st.sampled_from(values), max_size=most)):
        fault = draw(
            st.none() | st.tuples(st.sampled_from(list(places(value))), st.sampled_from(VALUES))
        )
        found.append(spoilt(value, *([fault] if fault else [])))
    return found


def refusal(dialect, targets, body, model=None):
    """Read and write a body for every target; return the field a refusal names, None = read."""
    try:
        for operation in ("generate", "count"):
            req = dialect.parse(body, ParseMeta(model=model, operation=operation))
            for caps in targets:
                json.dumps(dialect.build(req, caps, operation).body)
    except BadRequest as err:
        return (err.param or "nameless") if err.status == 400 else "nameless"
    return None


def named(place):
    """Return the path of a place as an error names it."""
    out = ""
    for key in place:
        out += f"[{key}]" if isinstance(key, int) else f".{key}" if out else key
    return out
