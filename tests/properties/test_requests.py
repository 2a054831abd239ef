"""Whatever a client asks, in whichever dialect: carried or reported, and always valid upstream."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from cliproxy.base import json as wire
from cliproxy.dialects import Built, ParseMeta, get
from cliproxy.dialects._compat import find
from cliproxy.ir.request import Image, Inline, IRRequest, Text, ToolCall, ToolResult
from tests.properties.answers import DIALECTS
from tests.properties.asking import requests
from tests.properties.budget import examples
from tests.properties.canonical import CANONICAL
from tests.properties.values import FOUND
from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.strict import CHECKS
from tests.sim.wire import Headers
from tests.unit.compat import compat_probe
from tests.unit.compat.compat_probe import Path, _exact, _holds, tagged

Json = Any
# The newest Claude models take only one of the two, and the simulator is as strict.
CAPS = structs.replace(compat_probe.CAPS, exclusive_temp_top_p=True)
targets = st.sampled_from(DIALECTS)


class Trusting(Memory):
    """Every signature is one it issued: which of them travel is not asked here."""

    def signed(self, dialect: str, signature: str) -> str | None:
        return ANY


class _Any(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


ANY = _Any()


@st.composite
def asked(draw: Any, *, plain: bool = False) -> tuple[str, Json]:
    dialect = draw(st.sampled_from(DIALECTS))
    return dialect, draw(requests(dialect, plain=plain))


def parse(dialect: str, body: Json) -> IRRequest:
    return get(dialect).parse(body, ParseMeta(model="m"))


def build(source: str, target: str, body: Json) -> Built:
    return get(target).build(parse(source, body), CAPS)


def accept(dialect: str, body: Json) -> None:
    """Let the simulated provider look at a request. Raises what it would refuse."""
    record = Recorded(
        number=0,
        connection=0,
        method="POST",
        path="/",
        target="/",
        query={},
        headers=Headers([("anthropic-version", "2023-06-01")]),
        raw=b"",
        content=b"",
        body=json.loads(wire.dumps(body)),
        dialect=dialect,
        endpoint="generate",
        model="up",
    )
    CHECKS[dialect](record, Trusting())


@examples()
@given(asked())
def test_the_generated_requests_themselves_are_valid(request):
    accept(*request)


@examples()
@given(asked(), targets)
def test_what_is_built_is_valid_for_the_upstream(request, target):
    source, body = request
    accept(target, build(source, target, body).body)


@examples()
@given(asked(), targets)
def test_building_is_a_function_and_leaves_its_input_alone(request, target):
    source, body = request
    before = copy.deepcopy(body)
    req = parse(source, body)
    first = get(target).build(req, CAPS)
    assert body == before
    again = get(target).build(req, CAPS)
    other = build(source, target, copy.deepcopy(before))
    assert wire.dumps(first.body) == wire.dumps(again.body) == wire.dumps(other.body)
    assert first.losses == again.losses == other.losses
    assert req == parse(source, before)


def leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every mark of a request and its place."""
    match value:
        case dict():
            for key, inner in value.items():
                for mark in FOUND.findall(key):
                    yield (*path, key), mark
                yield from leaves(inner, (*path, key))
        case list():
            for number, inner in enumerate(value):
                yield from leaves(inner, (*path, number))
        case str():
            for mark in FOUND.findall(value):
                yield path, mark


def ignored(source: str, target: str, body: Json, path: Path) -> bool:
    """Tell whether the table says that nothing is lost without this field."""
    row = find(source, tagged(body, path))
    return row is not None and row.word(target) == "ignored"


@examples()
@given(asked(), targets)
def test_every_leaf_is_carried_or_reported(request, target):
    source, body = request
    built = build(source, target, body)
    sent = set(FOUND.findall(json.dumps(json.loads(wire.dumps([built.body, built.headers])))))
    told = [loss.field for loss in built.losses]
    assert [
        (path, told)
        for path, mark in leaves(body)
        if mark not in sent
        and not any(_exact(loss, path) or _holds(loss, path) for loss in told)
        and not ignored(source, target, body, path)
    ] == []


NOT_SENT_BACK = ("the namespace is flattened", "unsigned reasoning cannot be replayed")


@examples()
@given(asked())
def test_a_request_comes_back_as_it_was_from_its_own_dialect(request):
    dialect, body = request
    built = build(dialect, dialect, body)
    canonical = CANONICAL[dialect]
    back = json.loads(wire.dumps(built.body))
    back.pop("model", None)  # the router's choice
    assert canonical(back) == canonical({k: v for k, v in body.items() if k != "model"})
    assert [loss for loss in built.losses if loss.reason not in NOT_SENT_BACK] == []


def told(req: IRRequest) -> list[Any]:
    """Return a conversation as one list: who says what, in order; reasoning aside."""
    found: list[Any] = [("system", "\n\n".join(text.text for text in req.system))]
    for message in req.messages:
        for part in message.parts:
            match part:
                case Text():
                    found.append((message.role, part.text))
                case Image(media=Inline() as media):
                    found.append((message.role, media.mime, media.b64))
                case ToolCall():
                    found.append(("call", part.id, part.name, wire.loads(part.args or "{}")))
                case ToolResult():
                    texts = [one.text for one in part.parts if isinstance(one, Text)]
                    found.append(("result", part.call_id, "".join(texts)))
                case _:
                    found.append((message.role, part))
    return found


@examples()
@given(asked(plain=True), targets)
def test_a_conversation_survives_the_way_there_and_back(request, target):
    source, body = request
    there = build(source, target, body).body
    back = build(target, source, json.loads(wire.dumps(there))).body
    first, last = told(parse(source, body)), told(parse(source, json.loads(wire.dumps(back))))
    assert last == first


SAID_AGAIN = {
    # By what stands beside it.
    "generationConfig.responseMimeType",
}
NOTHING = (
    # What silence means in every dialect.
    None, True, False, "auto", [], {}, "{}", {"includeThoughts": False},
    {"type": "object", "properties": {}},
)  # fmt: skip


@examples(150)
@given(asked(), targets, st.data())
def test_no_field_is_lost_in_silence_whatever_stands_beside_it(request, target, data):
    source, body = request
    path, _ = data.draw(st.sampled_from(list(compat_probe.leaves(body))))
    value = body
    for step in path:
        value = value[step]
    name = tagged(body, path)
    assume(not any(type(value) is type(word) and value == word for word in NOTHING))
    assume(name not in SAID_AGAIN)
    assume(not any(known.search(name) for known in compat_probe.UNPROVEN))
    there = compat_probe.attempt(source, target, body)
    if compat_probe._became(source, target, body, path, there) == "ignored":
        assert ignored(source, target, body, path), f"{name}: {value!r}"
